#include "data/dataset.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace assay::data {
namespace {

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::unique_ptr<Dataset> OpenCsvSpec(const std::string& spec, const std::vector<std::string>& parts) {
  if (parts.size() < 2 || parts.size() > 3) throw UsageError("--data {}: expected csv:FILE,DIR[,dtype=int8]", spec);
  std::optional<DType> dtype;
  if (parts.size() == 3) {
    constexpr std::string_view kKey = "dtype=";
    if (parts[2].rfind(kKey, 0) != 0)
      throw UsageError("--data {}: unknown option '{}', expected dtype=", spec, parts[2]);
    const std::string name = parts[2].substr(kKey.size());
    dtype = DTypeFromName(name);
    if (!dtype.has_value() || DTypeBits(*dtype) % 8 != 0 || DTypeBits(*dtype) == 0 || *dtype == DType::kComplex64 ||
        *dtype == DType::kComplex128) {
      throw UsageError("--data {}: arrays of type '{}' cannot be read", spec, name);
    }
  }
  return OpenCsv(parts[0], parts[1], dtype);
}

// Some samples of another data set.
class Selection final : public Dataset {
 public:
  Selection(std::shared_ptr<const Dataset> all, std::vector<size_t> chosen)
      : all_(std::move(all)), chosen_(std::move(chosen)) {
    label_count_ = all_->label_count();
    class_names_ = all_->class_names();
    ignored_files_ = all_->ignored_files();
  }
  size_t size() const override { return chosen_.size(); }
  Sample Load(size_t index) const override { return all_->Load(chosen_[index]); }
  int64_t LabelOf(size_t index) const override { return all_->LabelOf(chosen_[index]); }
  bool holds_pictures() const override { return all_->holds_pictures(); }
  bool has_labels() const override { return all_->has_labels(); }

 private:
  std::shared_ptr<const Dataset> all_;
  std::vector<size_t> chosen_;
};

}  // namespace

std::unique_ptr<Dataset> SelectSamples(const Dataset& all, std::vector<size_t> chosen) {
  return std::make_unique<Selection>(std::shared_ptr<const Dataset>(std::shared_ptr<void>(), &all), std::move(chosen));
}

std::unique_ptr<Dataset> SpreadSamples(std::unique_ptr<Dataset> dataset, size_t count) {
  const size_t size = dataset->size();
  if (count >= size) return dataset;
  // Class after class, every size/count-th sample: a class of m samples gets m*count/size of them, rounded up or down.
  std::vector<size_t> by_class(size), chosen;
  std::iota(by_class.begin(), by_class.end(), size_t{0});
  std::stable_sort(by_class.begin(), by_class.end(),
                   [&](size_t a, size_t b) { return dataset->LabelOf(a) < dataset->LabelOf(b); });
  for (size_t k = 0; k < count; ++k) chosen.push_back(by_class[(2 * k + 1) * size / (2 * count)]);
  std::sort(chosen.begin(), chosen.end());
  return std::make_unique<Selection>(std::move(dataset), std::move(chosen));
}

std::unique_ptr<Dataset> OpenDataset(const std::string& spec, const std::string& labels) {
  constexpr std::array<std::string_view, 5> kKinds = {"folder", "imagenet", "mnist", "csv", "npz"};
  const size_t colon = spec.find(':');
  const std::string kind = spec.substr(0, colon);
  if (colon == std::string::npos || colon + 1 == spec.size()) {
    throw UsageError("--data '{}': expected KIND:WHERE, KIND one of folder, imagenet, mnist, csv, npz{}", spec,
                     NearestHint(kind, kKinds.data(), kKinds.size()));
  }
  const std::string where = spec.substr(colon + 1);
  const std::vector<std::string> parts = Split(where, ',');
  if (!labels.empty() && kind != "imagenet")
    throw UsageError("--labels goes with imagenet data only, --data is {}", spec);
  if (kind == "folder") return OpenFolder(where);
  if (kind == "imagenet") {
    if (labels.empty()) throw UsageError("--data {} needs --labels CSV", spec);
    return OpenImageNet(where, labels);
  }
  if (kind == "mnist") {
    if (parts.size() != 2) throw UsageError("--data {}: expected mnist:IMAGES,LABELS", spec);
    return OpenMnist(parts[0], parts[1]);
  }
  if (kind == "csv") return OpenCsvSpec(spec, parts);
  if (kind == "npz") return OpenNpz(where);
  throw UsageError("--data {}: unknown kind '{}'{}", spec, kind, NearestHint(kind, kKinds.data(), kKinds.size()));
}

}  // namespace assay::data
