// Data sets of arrays: MNIST's idx files (gzip too), raw arrays listed in a CSV, one npz.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"
#include "data/csv_text.h"
#include "data/dataset.h"

namespace assay::data {
namespace {

constexpr uint64_t kMaxIdxBytes = uint64_t{4} << 30;
constexpr uint64_t kMaxRawBytes = uint64_t{1} << 30;

struct GzCloser {
  void operator()(gzFile file) const { gzclose(file); }
};

// The whole file, unpacked where it is gzip.
std::vector<uint8_t> ReadMaybeGzip(const std::string& path) {
  MappedFile::Open(path, kMaxIdxBytes);  // names what is wrong with the file itself
  const std::unique_ptr<gzFile_s, GzCloser> file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) throw InputError("{}: cannot open", path);
  std::vector<uint8_t> bytes;
  constexpr unsigned kChunk = 1U << 20;
  while (true) {
    const size_t at = bytes.size();
    bytes.resize(at + kChunk);
    const int got = gzread(file.get(), bytes.data() + at, kChunk);
    int status = Z_OK;
    const char* message = gzerror(file.get(), &status);
    if (got < 0 || (status != Z_OK && status != Z_STREAM_END)) throw InputError("{}: corrupt gzip: {}", path, message);
    bytes.resize(at + static_cast<size_t>(got));
    if (got == 0) return bytes;
    if (bytes.size() > kMaxIdxBytes) throw InputError("{}: unpacks to more than {} bytes", path, kMaxIdxBytes);
  }
}

// idx: 0, 0, type 8 (uint8), rank, rank big-endian sizes, the data.
Array ReadIdx(const std::string& path, int rank) {
  const std::vector<uint8_t> bytes = ReadMaybeGzip(path);
  const size_t header = 4 + 4 * static_cast<size_t>(rank);
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0) throw InputError("{}: not an idx file", path);
  if (bytes[2] != 8 || bytes[3] != rank) {
    throw InputError("{}: an idx file of type {} and rank {}, expected bytes and rank {}", path, bytes[2], bytes[3],
                     rank);
  }
  if (bytes.size() < header) throw InputError("{}: an idx file that ends within its header", path);
  std::vector<int32_t> dims;
  for (size_t d = 0; d < static_cast<size_t>(rank); ++d) {
    const uint8_t* at = bytes.data() + 4 + 4 * d;
    const uint32_t dim = uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | uint32_t{at[3]};
    if (dim > 0x7FFFFFFF) throw InputError("{}: dimension {} is {}", path, d, dim);
    dims.push_back(static_cast<int32_t>(dim));
  }
  Shape shape(std::move(dims));
  if (!shape.IsValid(int64_t{1} << 40) || static_cast<uint64_t>(shape.NumElements()) != bytes.size() - header) {
    throw InputError("{}: has {} bytes of data, the shape {} needs another number", path, bytes.size() - header,
                     shape.ToString());
  }
  Array array(DType::kUInt8, std::move(shape));
  if (bytes.size() > header) std::memcpy(array.bytes().data(), bytes.data() + header, bytes.size() - header);
  return array;
}

// Row i of an array along its first dimension.
Array Row(const Array& array, size_t i) {
  const auto dims = array.shape().dims();
  Array row(array.dtype(), Shape(dims.subspan(1)));
  if (!row.bytes().empty())
    std::memcpy(row.bytes().data(), array.bytes().data() + i * row.bytes().size(), row.bytes().size());
  return row;
}

class ArrayRows final : public Dataset {
 public:
  ArrayRows(std::string source, NamedArrays arrays, std::vector<int64_t> labels)
      : source_(std::move(source)), arrays_(std::move(arrays)), labels_(std::move(labels)) {
    for (const int64_t label : labels_) label_count_ = std::max(label_count_, label + 1);
  }
  size_t size() const override { return static_cast<size_t>(arrays_.front().second.shape()[0]); }
  bool holds_pictures() const override { return false; }
  bool has_labels() const override { return !labels_.empty(); }
  int64_t LabelOf(size_t index) const override { return labels_.empty() ? -1 : labels_[index]; }
  Sample Load(size_t index) const override {
    Sample sample;
    sample.name = fmt::format("{} row {}", source_, index);
    sample.label = labels_.empty() ? -1 : labels_[index];
    for (const auto& [name, array] : arrays_) sample.arrays.emplace_back(name, Row(array, index));
    return sample;
  }

 private:
  std::string source_;
  NamedArrays arrays_;
  std::vector<int64_t> labels_;
};

class RawFiles final : public Dataset {
 public:
  struct Item {
    std::string path;
    int64_t label = 0;
  };
  RawFiles(std::vector<Item> items, std::optional<DType> dtype, int64_t classes)
      : items_(std::move(items)), dtype_(dtype) {
    label_count_ = classes;
  }
  size_t size() const override { return items_.size(); }
  int64_t LabelOf(size_t index) const override { return items_[index].label; }
  bool holds_pictures() const override { return false; }
  Sample Load(size_t index) const override {
    const Item& item = items_[index];
    const auto file = MappedFile::Open(item.path, kMaxRawBytes);
    const DType dtype = dtype_.value_or(DType::kUInt8);
    const auto width = static_cast<size_t>(DTypeBits(dtype)) / 8;
    const auto bytes = file->bytes();
    if (bytes.empty() || bytes.size() % width != 0) {
      throw InputError("{}: has {} bytes, not a multiple of {}'s {}", item.path, bytes.size(), DTypeName(dtype), width);
    }
    Array array(dtype, {static_cast<int32_t>(bytes.size() / width)});
    std::memcpy(array.bytes().data(), bytes.data(), bytes.size());
    Sample sample;
    sample.name = item.path;
    sample.label = item.label;
    sample.arrays.emplace_back("", std::move(array));
    sample.arrays_are_bytes = !dtype_.has_value();
    return sample;
  }

 private:
  std::vector<Item> items_;
  std::optional<DType> dtype_;
};

std::vector<int64_t> LabelsOf(const Array& array, const std::string& source) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < array.size(); ++i) {
    const double value = ElementAsDouble(array, i);
    if (!(value >= 0 && value <= static_cast<double>(kMaxLabel)) ||
        value != static_cast<double>(static_cast<int64_t>(value))) {
      throw InputError("{}: label {} is {}", source, i, value);
    }
    labels.push_back(static_cast<int64_t>(value));
  }
  return labels;
}

}  // namespace

std::unique_ptr<Dataset> OpenMnist(const std::string& images, const std::string& labels) {
  Array pixels = ReadIdx(images, 3);
  const Array classes = ReadIdx(labels, 1);
  if (pixels.shape()[0] != classes.shape()[0]) {
    throw InputError("{} has {} images but {} has {} labels", images, pixels.shape()[0], labels, classes.shape()[0]);
  }
  if (pixels.size() == 0) throw InputError("{}: holds no images", images);
  NamedArrays arrays;
  arrays.emplace_back("", std::move(pixels));
  return std::make_unique<ArrayRows>(images, std::move(arrays), LabelsOf(classes, labels));
}

std::unique_ptr<Dataset> OpenCsv(const std::string& list, const std::string& directory, std::optional<DType> dtype) {
  std::vector<RawFiles::Item> items;
  int64_t classes = 0;
  for (const CsvRow& row : ReadCsv(list)) {
    const int64_t count = CsvInteger(list, row, 1), label = CsvInteger(list, row, 2);
    if (count < 1 || count > kMaxLabel || label < 0 || label >= count) {
      throw InputError("{}: line {}: label {} of {} classes", list, row.line, label, count);
    }
    if (classes != 0 && count != classes) {
      throw InputError("{}: line {}: says {} classes, the lines before say {}", list, row.line, count, classes);
    }
    classes = count;
    items.push_back({(std::filesystem::path(directory) / row.fields[0]).string(), label});
  }
  if (items.empty()) throw InputError("{}: lists no files", list);
  return std::make_unique<RawFiles>(std::move(items), dtype, classes);
}

std::unique_ptr<Dataset> OpenNpz(const std::string& path) {
  NamedArrays arrays = ReadNpz(path), inputs;
  std::vector<int64_t> labels;
  bool has_y = false;
  for (auto& [name, array] : arrays) {
    if (name == "y") {
      Array column = array;
      if (column.shape().rank() == 2 && column.shape()[1] == 1) column = column.Reshaped({column.shape()[0]});
      if (column.shape().rank() != 1)
        throw InputError("{}: y has the shape {}, expected one label a row", path, array.shape().ToString());
      labels = LabelsOf(column, path + ": y");
      has_y = true;
    } else {
      if (array.shape().rank() < 1) throw InputError("{}: {} is a scalar, expected one row a sample", path, name);
      inputs.emplace_back(name == "x" ? "" : name, std::move(array));
    }
  }
  if (inputs.empty()) throw InputError("{}: has no array 'x' and none for an input", path);
  for (const auto& [name, array] : inputs) {
    if (array.shape()[0] != inputs[0].second.shape()[0]) {
      throw InputError("{}: {} has {} rows, {} has {}", path, name.empty() ? "x" : name, array.shape()[0],
                       inputs[0].first.empty() ? "x" : inputs[0].first, inputs[0].second.shape()[0]);
    }
  }
  const int32_t rows = inputs[0].second.shape()[0];
  if (rows == 0) throw InputError("{}: holds no rows", path);
  if (has_y && labels.size() != static_cast<size_t>(rows)) {
    throw InputError("{}: y has {} labels, the inputs have {} rows", path, labels.size(), rows);
  }
  return std::make_unique<ArrayRows>(path, std::move(inputs), std::move(labels));
}

}  // namespace assay::data
