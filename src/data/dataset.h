// Labelled samples from the kinds of --data: a folder of pictures, ImageNet, MNIST, raw arrays listed in a CSV, an npz.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/npy.h"

namespace assay::data {

// The largest class index that is believed.
constexpr int64_t kMaxLabel = 10'000'000;

struct Sample {
  std::string name;  // what messages call it: a path, or "images.npz row 17"
  int64_t label = -1;
  std::vector<uint8_t> picture;   // an encoded image; empty where the data are arrays
  NamedArrays arrays;             // by input name; "" is the model's only input
  bool arrays_are_bytes = false;  // the array's type is not known: its bytes have the type of the input
};

class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual size_t size() const = 0;
  // Thread-safe. Throws InputError naming the sample.
  virtual Sample Load(size_t index) const = 0;
  // The label of a sample without loading it; -1 where there is none.
  virtual int64_t LabelOf(size_t index) const = 0;
  virtual bool holds_pictures() const = 0;
  virtual bool has_labels() const { return true; }

  // Classes that labels may take (names where they are known).
  int64_t label_count() const { return label_count_; }
  const std::vector<std::string>& class_names() const { return class_names_; }
  // Files passed over because they are no pictures.
  int64_t ignored_files() const { return ignored_files_; }

 protected:
  int64_t label_count_ = 0;
  std::vector<std::string> class_names_;
  int64_t ignored_files_ = 0;
};

// `spec` as in --data: "folder:DIR", "imagenet:DIR", "mnist:IMAGES,LABELS", "csv:FILE,DIR[,dtype=int8]", "npz:FILE".
// `labels` is the file of --labels ("" where none was given). Throws UsageError for an unknown kind, InputError for
// what is wrong on disk.
std::unique_ptr<Dataset> OpenDataset(const std::string& spec, const std::string& labels);

// The samples `chosen` of `all`, which must outlive the result.
std::unique_ptr<Dataset> SelectSamples(const Dataset& all, std::vector<size_t> chosen);

// At most `count` samples of `dataset`, in its order, chosen so that every class keeps its share (to within one sample)
// and each class's samples are taken evenly from its first to its last. The same ones every time.
std::unique_ptr<Dataset> SpreadSamples(std::unique_ptr<Dataset> dataset, size_t count);

// The kinds, one per file.
std::unique_ptr<Dataset> OpenFolder(const std::string& directory);
std::unique_ptr<Dataset> OpenImageNet(const std::string& directory, const std::string& labels);
std::unique_ptr<Dataset> OpenMnist(const std::string& images, const std::string& labels);
std::unique_ptr<Dataset> OpenCsv(const std::string& list, const std::string& directory, std::optional<DType> dtype);
std::unique_ptr<Dataset> OpenNpz(const std::string& path);

}  // namespace assay::data
