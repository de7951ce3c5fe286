// The one place that knows HDF5's C library, built as a module of its own: a child process with limits loads it, reads
// one file and ends (hdf5_file.cc). What it finds it writes as one JSON object to `index_fd`:
//
//   {"groups": {PATH: {"strings": {NAME: TEXT}, "lists": {NAME: [TEXT...]}}},
//    "datasets": {PATH: {"dtype": "float32", "shape": [...], "in_file": true, "offset": N, "bytes": N}}}
//
// Numbers that lie in the file as they are keep their place there; packed ones are unpacked into `data_fd`. A file that
// breaks a rule gives {"error": TEXT}. Plugins are never loaded, links that leave the file never followed.
#include <hdf5.h>
#include <hdf5_hl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxObjects = 500'000;
constexpr int kMaxDepth = 64;
constexpr uint64_t kMaxAttributeBytes = uint64_t{512} << 20;
constexpr uint64_t kMaxDatasetBytes = uint64_t{16} << 30;
constexpr int kMaxRank = 16;
// Deflate packs at most 1032 to 1; what claims more than that is no data of anybody.
constexpr uint64_t kMaxPacking = 1100;

[[noreturn]] void Fail(const std::string& message) { throw std::runtime_error(message); }

// Closes an HDF5 identifier.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  hid_t get() const { return id_; }
  hid_t OrFail(const std::string& message) const {
    if (id_ < 0) Fail(message);
    return id_;
  }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

struct Walker {
  Json groups = Json::object(), datasets = Json::object();
  std::set<haddr_t> seen;
  size_t objects = 0;
  uint64_t attribute_bytes = 0, data_bytes = 0;
  int data_fd = -1;
};

std::vector<std::string> ReadStrings(Walker& walker, hid_t attribute, hid_t type, hid_t space,
                                     const std::string& what) {
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (count < 0 || count > 10'000'000) Fail(what + " has an impossible size");
  const auto n = static_cast<size_t>(count);
  std::vector<std::string> texts(n);
  if (n == 0) return texts;
  if (H5Tis_variable_str(type) > 0) {
    const Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(memory.get(), H5T_VARIABLE);
    H5Tset_cset(memory.get(), H5Tget_cset(type));
    std::vector<char*> pointers(n, nullptr);
    if (H5Aread(attribute, memory.get(), pointers.data()) < 0) Fail(what + " cannot be read");
    for (size_t i = 0; i < n; ++i) {
      if (pointers[i] == nullptr) continue;
      texts[i] = pointers[i];
      walker.attribute_bytes += texts[i].size();
    }
    H5Dvlen_reclaim(memory.get(), space, H5P_DEFAULT, pointers.data());
  } else {
    const size_t size = H5Tget_size(type);
    if (size == 0 || size > kMaxAttributeBytes / n) Fail(what + " has an impossible size");
    std::vector<char> bytes(size * n);
    const Handle memory(H5Tcopy(type), H5Tclose);
    if (H5Aread(attribute, memory.get(), bytes.data()) < 0) Fail(what + " cannot be read");
    for (size_t i = 0; i < n; ++i) {
      const char* start = bytes.data() + i * size;
      size_t length = 0;
      while (length < size && start[length] != 0) ++length;
      if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) {
        while (length > 0 && start[length - 1] == ' ') --length;
      }
      texts[i].assign(start, length);
    }
    walker.attribute_bytes += bytes.size();
  }
  if (walker.attribute_bytes > kMaxAttributeBytes)
    Fail("the attributes take more than " + std::to_string(kMaxAttributeBytes) + " bytes");
  return texts;
}

// Attributes of text; numbers have no meaning here.
Json ReadAttributes(Walker& walker, hid_t object, const std::string& path) {
  Json strings = Json::object(), lists = Json::object();
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS) < 0) Fail("'" + path + "' cannot be read");
  for (hsize_t i = 0; i < info.num_attrs; ++i) {
    const Handle attribute(H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_NATIVE, i, H5P_DEFAULT, H5P_DEFAULT),
                           H5Aclose);
    attribute.OrFail("an attribute of '" + path + "' cannot be read");
    char name[1024] = {};
    if (H5Aget_name(attribute.get(), sizeof(name), name) < 0) Fail("an attribute of '" + path + "' has no name");
    const Handle type(H5Aget_type(attribute.get()), H5Tclose);
    if (type.get() < 0 || H5Tget_class(type.get()) != H5T_STRING) continue;
    const Handle space(H5Aget_space(attribute.get()), H5Sclose);
    const std::string what = "attribute '" + std::string(name) + "' of '" + path + "'";
    space.OrFail(what + " cannot be read");
    std::vector<std::string> texts = ReadStrings(walker, attribute.get(), type.get(), space.get(), what);
    if (H5Sget_simple_extent_type(space.get()) == H5S_SCALAR) {
      if (!texts.empty()) strings[name] = texts[0];
    } else {
      lists[name] = texts;
    }
  }
  return {{"strings", strings}, {"lists", lists}};
}

// The type's name and the one it is read as; false where this is no plain number.
bool NumberType(hid_t type, std::string* name, hid_t* memory) {
  const size_t size = H5Tget_size(type);
  if (H5Tget_class(type) == H5T_FLOAT) {
    if (size == 4) return *name = "float32", *memory = H5T_IEEE_F32LE, true;
    if (size == 8) return *name = "float64", *memory = H5T_IEEE_F64LE, true;
    if (size == 2) {
      static hid_t float16 = [] {
        const hid_t t = H5Tcopy(H5T_IEEE_F32LE);
        H5Tset_fields(t, 15, 10, 5, 0, 10);
        H5Tset_size(t, 2);
        H5Tset_ebias(t, 15);
        return t;
      }();
      return *name = "float16", *memory = float16, true;
    }
    return false;
  }
  if (H5Tget_class(type) == H5T_INTEGER) {
    const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    switch (size) {
      case 1:
        return *name = is_signed ? "int8" : "uint8", *memory = is_signed ? H5T_STD_I8LE : H5T_STD_U8LE, true;
      case 2:
        return *name = is_signed ? "int16" : "uint16", *memory = is_signed ? H5T_STD_I16LE : H5T_STD_U16LE, true;
      case 4:
        return *name = is_signed ? "int32" : "uint32", *memory = is_signed ? H5T_STD_I32LE : H5T_STD_U32LE, true;
      case 8:
        return *name = is_signed ? "int64" : "uint64", *memory = is_signed ? H5T_STD_I64LE : H5T_STD_U64LE, true;
      default:
        return false;
    }
  }
  return false;
}

void WriteAll(int fd, const uint8_t* bytes, uint64_t count) {
  while (count > 0) {
    const ssize_t done = write(fd, bytes, count);
    if (done <= 0) Fail("there is no room for the unpacked data");
    bytes += done;
    count -= static_cast<uint64_t>(done);
  }
}

Json ReadDataset(Walker& walker, hid_t dataset, const std::string& path) {
  const std::string what = "dataset '" + path + "'";
  const Handle type(H5Dget_type(dataset), H5Tclose);
  const Handle space(H5Dget_space(dataset), H5Sclose);
  type.OrFail(what + " has no type"), space.OrFail(what + " has no shape");
  std::string dtype;
  hid_t memory = -1;
  if (!NumberType(type.get(), &dtype, &memory)) return {{"dtype", "other"}};
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0 || rank > kMaxRank) Fail(what + " has " + std::to_string(rank) + " dimensions");
  hsize_t dims[kMaxRank] = {};
  H5Sget_simple_extent_dims(space.get(), dims, nullptr);
  uint64_t bytes = H5Tget_size(type.get());
  Json shape = Json::array();
  for (int i = 0; i < rank; ++i) {
    if (dims[i] > INT32_MAX || (dims[i] != 0 && bytes > kMaxDatasetBytes / dims[i]))
      Fail(what + " has an impossible shape");
    bytes *= dims[i];
    shape.push_back(dims[i]);
  }
  Json result = {{"dtype", dtype}, {"shape", shape}, {"bytes", bytes}};
  const Handle plist(H5Dget_create_plist(dataset), H5Pclose);
  plist.OrFail(what + " has no layout");
  if (H5Pget_external_count(plist.get()) != 0) Fail(what + " keeps its data in other files, which are not read");
  const H5D_layout_t layout = H5Pget_layout(plist.get());
  if (layout == H5D_VIRTUAL) Fail(what + " is put together from other files, which are not read");
  const hsize_t stored = H5Dget_storage_size(dataset);
  if (bytes / kMaxPacking > stored) {
    Fail(what + " claims " + std::to_string(bytes) + " bytes and stores " + std::to_string(stored));
  }
  if (layout == H5D_CHUNKED) {
    hsize_t chunk[kMaxRank] = {};
    const int chunk_rank = H5Pget_chunk(plist.get(), kMaxRank, chunk);
    uint64_t chunk_bytes = H5Tget_size(type.get());
    for (int i = 0; i < chunk_rank && i < kMaxRank; ++i) {
      if (chunk[i] == 0 || chunk_bytes > (uint64_t{1} << 32) / chunk[i]) Fail(what + " has chunks of an absurd size");
      chunk_bytes *= chunk[i];
    }
    if (chunk_bytes > bytes + (uint64_t{64} << 20)) Fail(what + " has chunks of an absurd size");
  }
  const bool as_stored = H5Tequal(type.get(), memory) > 0;
  const haddr_t offset = H5Dget_offset(dataset);
  if (layout == H5D_CONTIGUOUS && as_stored && offset != HADDR_UNDEF && stored == bytes) {
    result["in_file"] = true;
    result["offset"] = offset;
    return result;
  }
  walker.data_bytes += bytes;
  if (walker.data_bytes > kMaxDatasetBytes)
    Fail("the data take more than " + std::to_string(kMaxDatasetBytes) + " bytes");
  std::vector<uint8_t> values(bytes);
  if (bytes > 0 && H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    Fail(what + " cannot be read: it is damaged, or packed in a way that is not supported");
  }
  result["in_file"] = false;
  result["offset"] = walker.data_bytes - bytes;
  WriteAll(walker.data_fd, values.data(), bytes);
  return result;
}

void WalkGroup(Walker& walker, hid_t group, const std::string& path, int depth);

struct Link {
  std::string name;
  H5L_type_t type;
};

herr_t CollectLink(hid_t /*group*/, const char* name, const H5L_info_t* info, void* out) {
  auto* links = static_cast<std::vector<Link>*>(out);
  if (links->size() >= kMaxObjects) return -1;
  links->push_back({name, info->type});
  return 0;
}

void WalkObject(Walker& walker, hid_t parent, const Link& link, const std::string& path, int depth) {
  if (link.type == H5L_TYPE_EXTERNAL) Fail("'" + path + "' is a link into another file, which is not followed");
  if (link.type != H5L_TYPE_HARD) Fail("'" + path + "' is a soft link, which is not followed");
  if (++walker.objects > kMaxObjects) Fail("the file has too many objects");
  const Handle object(H5Oopen(parent, link.name.c_str(), H5P_DEFAULT), H5Oclose);
  object.OrFail("'" + path + "' cannot be opened");
  H5O_info_t info;
  if (H5Oget_info2(object.get(), &info, H5O_INFO_BASIC) < 0) Fail("'" + path + "' cannot be read");
  if (info.type == H5O_TYPE_GROUP) {
    if (depth >= kMaxDepth) Fail("'" + path + "' is nested too deeply");
    if (!walker.seen.insert(info.addr).second) Fail("'" + path + "' links back to a group that was already read");
    WalkGroup(walker, object.get(), path, depth + 1);
  } else if (info.type == H5O_TYPE_DATASET) {
    walker.datasets[path] = ReadDataset(walker, object.get(), path);
  }
}

void WalkGroup(Walker& walker, hid_t group, const std::string& path, int depth) {
  walker.groups[path] = ReadAttributes(walker, group, path);
  std::vector<Link> links;
  hsize_t at = 0;
  if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &at, CollectLink, &links) < 0)
    Fail("'" + path + "' cannot be listed");
  for (const Link& link : links) {
    // The optimizer's state is no part of the model.
    if (path.empty() && link.name == "optimizer_weights") continue;
    WalkObject(walker, group, link, path.empty() ? link.name : path + "/" + link.name, depth);
  }
}

// Where `image` is given it is the whole file, which HDF5 cannot open by a path.
Json Read(const char* path, const void* image, size_t image_bytes, int data_fd) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
  // The library reads the image where it is (it would copy it twice) and, without leave to, does not write to it.
  constexpr unsigned kInPlace = H5LT_FILE_IMAGE_DONT_COPY | H5LT_FILE_IMAGE_DONT_RELEASE;
  const Handle file(image != nullptr ? H5LTopen_file_image(const_cast<void*>(image), image_bytes, kInPlace)
                                     : H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT),
                    H5Fclose);
  file.OrFail("not an HDF5 file, or a damaged one");
  const Handle root(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose);
  root.OrFail("the root group cannot be opened");
  Walker walker;
  walker.data_fd = data_fd;
  H5O_info_t info;
  if (H5Oget_info2(root.get(), &info, H5O_INFO_BASIC) >= 0) walker.seen.insert(info.addr);
  WalkGroup(walker, root.get(), "", 0);
  return {{"groups", walker.groups}, {"datasets", walker.datasets}};
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void assay_hdf5_read(const char* path, const void* image,
                                                                       size_t image_bytes, int data_fd, int index_fd) {
  Json index;
  try {
    index = Read(path, image, image_bytes, data_fd);
  } catch (const std::exception& error) {
    index = {{"error", error.what()}};
  }
  const std::string text = index.dump(-1, ' ', false, Json::error_handler_t::replace);
  try {
    WriteAll(index_fd, reinterpret_cast<const uint8_t*>(text.data()), text.size());
  } catch (const std::exception&) {
    _exit(1);
  }
}
