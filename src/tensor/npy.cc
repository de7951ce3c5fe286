#include "tensor/npy.h"

#include <zip.h>

#include <charconv>
#include <cstring>
#include <memory>

#include "base/mapped_file.h"

namespace assay {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr int64_t kMaxElements = int64_t{1} << 40;

struct Descr {
  std::string_view code;
  DType dtype;
};
constexpr Descr kDescrs[] = {
    {"<f4", DType::kFloat32},   {"<f8", DType::kFloat64},     {"<f2", DType::kFloat16}, {"|i1", DType::kInt8},
    {"|u1", DType::kUInt8},     {"|b1", DType::kBool},        {"<i2", DType::kInt16},   {"<u2", DType::kUInt16},
    {"<i4", DType::kInt32},     {"<u4", DType::kUInt32},      {"<i8", DType::kInt64},   {"<u8", DType::kUInt64},
    {"<c8", DType::kComplex64}, {"<c16", DType::kComplex128},
};

// The text after `'key':` in the header's dictionary.
std::string_view ValueOf(std::string_view header, std::string_view key, const std::string& name) {
  const std::string quoted = fmt::format("'{}'", key);
  size_t at = header.find(quoted);
  if (at == std::string_view::npos) throw InputError("{}: npy header has no {}", name, quoted);
  at = header.find(':', at);
  if (at == std::string_view::npos) throw InputError("{}: npy header is malformed at {}", name, quoted);
  at = header.find_first_not_of(" \t", at + 1);
  if (at == std::string_view::npos) throw InputError("{}: npy header is malformed at {}", name, quoted);
  return header.substr(at);
}

Shape ParseShape(std::string_view text, const std::string& name) {
  if (text.empty() || text[0] != '(') throw InputError("{}: npy shape is malformed", name);
  std::vector<int32_t> dims;
  size_t i = 1;
  while (i < text.size() && text[i] != ')') {
    if (text[i] == ' ' || text[i] == ',') {
      ++i;
      continue;
    }
    int32_t dim = 0;
    const auto [end, status] = std::from_chars(text.data() + i, text.data() + text.size(), dim);
    if (status != std::errc() || dim < 0) throw InputError("{}: npy shape is malformed", name);
    dims.push_back(dim);
    if (dims.size() > 32) throw InputError("{}: npy shape has more than 32 dimensions", name);
    i = static_cast<size_t>(end - text.data());
    if (i < text.size() && text[i] == 'L') ++i;
  }
  if (i >= text.size()) throw InputError("{}: npy shape is malformed", name);
  return Shape(std::move(dims));
}

// Reads Fortran order: the first index runs fastest in `from`.
void TransposeInto(Array& to, std::span<const uint8_t> from) {
  const auto dims = to.shape().dims();
  const size_t width = static_cast<size_t>(DTypeBits(to.dtype())) / 8;
  std::vector<int32_t> index(dims.size(), 0);
  for (size_t at = 0; at < static_cast<size_t>(to.size()); ++at) {
    size_t source = 0;
    for (size_t d = dims.size(); d-- > 0;)
      source = source * static_cast<size_t>(dims[d]) + static_cast<size_t>(index[d]);
    std::memcpy(to.bytes().data() + at * width, from.data() + source * width, width);
    for (size_t d = dims.size(); d-- > 0;) {
      if (++index[d] < dims[d]) break;
      index[d] = 0;
    }
  }
}

struct ZipCloser {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct ZipFileCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

Array ParseNpy(std::span<const uint8_t> bytes, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.size() < 10 || text.substr(0, 6) != kMagic) throw InputError("{}: not an npy file (wrong magic)", name);
  const int major = bytes[6];
  size_t header_bytes = 0, begin = 0;
  if (major == 1) {
    header_bytes = static_cast<size_t>(bytes[8]) | static_cast<size_t>(bytes[9]) << 8;
    begin = 10;
  } else if ((major == 2 || major == 3) && bytes.size() >= 12) {
    uint32_t size = 0;
    std::memcpy(&size, bytes.data() + 8, 4);
    header_bytes = size;
    begin = 12;
  } else {
    throw InputError("{}: npy version {} is not known", name, major);
  }
  if (header_bytes > bytes.size() - begin) throw InputError("{}: npy header is cut off", name);
  const std::string_view header = text.substr(begin, header_bytes);
  const std::string_view descr = ValueOf(header, "descr", name);
  const Descr* found = nullptr;
  for (const Descr& known : kDescrs) {
    const std::string_view quoted = descr.substr(0, known.code.size() + 2);
    if (quoted.size() == known.code.size() + 2 && quoted.substr(1, known.code.size()) == known.code &&
        (quoted.back() == '\'' || quoted.back() == '"')) {
      found = &known;
    }
  }
  if (found == nullptr) {
    throw InputError("{}: npy element type {} is not supported", name, descr.substr(0, descr.find(',')));
  }
  const bool fortran = ValueOf(header, "fortran_order", name).substr(0, 4) == "True";
  Shape shape = ParseShape(ValueOf(header, "shape", name), name);
  if (!shape.IsValid(kMaxElements)) throw InputError("{}: npy shape {} is too large", name, shape.ToString());
  const auto data = bytes.subspan(begin + header_bytes);
  const uint64_t expected = DTypeBytes(found->dtype, static_cast<uint64_t>(shape.NumElements()));
  if (data.size() != expected) {
    throw InputError("{}: npy data has {} bytes, shape {} of {} needs {}", name, data.size(), shape.ToString(),
                     DTypeName(found->dtype), expected);
  }
  Array array(found->dtype, std::move(shape));
  if (fortran && array.shape().rank() > 1) {
    TransposeInto(array, data);
  } else if (!data.empty()) {
    std::memcpy(array.bytes().data(), data.data(), data.size());
  }
  if (array.dtype() == DType::kBool) {
    for (uint8_t& value : array.bytes()) value = value != 0 ? 1 : 0;
  }
  return array;
}

Array ReadNpy(const std::string& path) { return ParseNpy(MappedFile::Open(path, kMaxNpyBytes)->bytes(), path); }

NamedArrays ReadNpz(const std::string& path) {
  const auto bytes = MappedFile::Open(path, kMaxNpyBytes);
  if (bytes->bytes().empty()) throw InputError("{}: the file is empty", path);  // libzip: an archive of nothing
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes->bytes().data(), bytes->bytes().size(), 0, &error);
  zip_t* opened = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error);
  if (opened == nullptr) {
    if (source != nullptr) zip_source_free(source);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw InputError("{}: not an npz file: {}", path, reason);
  }
  const std::unique_ptr<zip_t, ZipCloser> archive(opened);
  NamedArrays arrays;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t status;
    if (zip_stat_index(archive.get(), static_cast<zip_uint64_t>(i), 0, &status) != 0) {
      throw InputError("{}: member {} is unreadable", path, i);
    }
    std::string name = status.name;
    const std::string where = path + ":" + name;
    if (name.size() < 4 || name.substr(name.size() - 4) != ".npy") throw InputError("{}: not an npy member", where);
    if ((status.valid & ZIP_STAT_SIZE) == 0 || status.size > kMaxNpyBytes) {
      throw InputError("{}: has no size or one beyond the limit", where);
    }
    // Deflate packs at most about 1032 to 1: a larger claim cannot be true and is not worth an allocation.
    if (status.size / 1100 > bytes->bytes().size()) throw InputError("{}: claims {} bytes", where, status.size);
    const std::unique_ptr<zip_file_t, ZipFileCloser> file(
        zip_fopen_index(archive.get(), static_cast<zip_uint64_t>(i), 0));
    if (file == nullptr) throw InputError("{}: cannot be opened: {}", where, zip_strerror(archive.get()));
    std::vector<uint8_t> content(status.size);
    const zip_int64_t got = zip_fread(file.get(), content.data(), content.size());
    if (got < 0 || static_cast<uint64_t>(got) != status.size) throw InputError("{}: is corrupt", where);
    name.resize(name.size() - 4);
    arrays.emplace_back(std::move(name), ParseNpy(content, where));
  }
  return arrays;
}

std::vector<uint8_t> SerializeNpy(const Array& array) {
  std::string_view code;
  for (const Descr& known : kDescrs) {
    if (known.dtype == array.dtype()) code = known.code;
  }
  if (code.empty()) throw InputError("arrays of {} cannot be written as npy", DTypeName(array.dtype()));
  std::string shape;
  for (const int32_t d : array.shape().dims()) shape += fmt::format("{}, ", d);
  if (array.shape().rank() > 1) shape.resize(shape.size() - 2);
  if (array.shape().rank() == 1) shape.resize(shape.size() - 1);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", code, shape);
  header.append((64 - (header.size() + 11) % 64) % 64, ' ');
  header += '\n';
  std::vector<uint8_t> out(kMagic.begin(), kMagic.end());
  out.insert(out.end(), {1, 0, static_cast<uint8_t>(header.size() & 0xFF), static_cast<uint8_t>(header.size() >> 8)});
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), array.bytes().begin(), array.bytes().end());
  return out;
}

void WriteNpy(const std::string& path, const Array& array) { WriteFileAtomically(path, SerializeNpy(array)); }

void WriteNpz(const std::string& path, const NamedArrays& arrays) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* target = zip_source_buffer_create(nullptr, 0, 0, &error);
  ASSAY_CHECK(target != nullptr);
  zip_source_keep(target);
  const std::unique_ptr<zip_source_t, decltype(&zip_source_free)> keep(target, &zip_source_free);
  zip_t* archive = zip_open_from_source(target, ZIP_TRUNCATE, &error);
  ASSAY_CHECK(archive != nullptr);
  std::vector<std::vector<uint8_t>> contents;
  contents.reserve(arrays.size());
  for (const auto& [name, array] : arrays) {
    contents.push_back(SerializeNpy(array));
    zip_source_t* source = zip_source_buffer(archive, contents.back().data(), contents.back().size(), 0);
    const zip_int64_t index = zip_file_add(archive, (name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);
      const std::string reason = zip_strerror(archive);
      zip_discard(archive);
      throw InputError("{}: cannot add {}: {}", path, name, reason);
    }
    const auto at = static_cast<zip_uint64_t>(index);
    zip_set_file_compression(archive, at, ZIP_CM_STORE, 0);
    constexpr zip_uint16_t kFirstDosDate = 0x21;  // 1980-01-01: the bytes must not depend on the clock
    zip_file_set_dostime(archive, at, 0, kFirstDosDate, 0);
  }
  if (zip_close(archive) != 0) {
    const std::string reason = zip_strerror(archive);
    zip_discard(archive);
    throw InputError("{}: cannot be packed: {}", path, reason);
  }
  if (zip_source_open(target) != 0) throw InputError("{}: cannot be packed", path);
  zip_source_seek(target, 0, SEEK_END);
  const zip_int64_t size = zip_source_tell(target);
  zip_source_seek(target, 0, SEEK_SET);
  std::vector<uint8_t> packed(static_cast<size_t>(size));
  const zip_int64_t got = zip_source_read(target, packed.data(), packed.size());
  zip_source_close(target);
  ASSAY_CHECK(got == size);
  WriteFileAtomically(path, packed);
}

const Array* FindArray(const NamedArrays& arrays, std::string_view name) {
  for (const auto& [key, array] : arrays) {
    if (key == name) return &array;
  }
  return nullptr;
}

}  // namespace assay
