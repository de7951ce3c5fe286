#include "tune/samples.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "quantize/quantize.h"

namespace assay::tune {

uint64_t HashBytes(const void* bytes, size_t size, uint64_t hash) {
  const auto* p = static_cast<const uint8_t*>(bytes);
  for (size_t i = 0; i < size; ++i) hash = (hash ^ p[i]) * 0x100000001b3U;
  return hash;
}

Split SplitSamples(const SplitRequest& request) {
  if (request.size == 0) throw InputError("the data hold no samples");
  if (request.calibration == size_t{0}) throw UsageError("--samples 0: calibration needs samples");
  const size_t calibration =
      request.calibration.value_or(request.size >= 400 ? 100 : std::max<size_t>(1, request.size / 4));
  if (calibration + 2 > request.size) {
    throw InputError(
        "the data hold {} samples; {} of them calibrate, and at least 2 more are needed, one to choose by and one to "
        "report on",
        request.size, calibration);
  }
  Split split;
  split.calibration = quantize::ChooseSamples(request.size, calibration, request.seed);
  std::vector<size_t> others;
  for (size_t i = 0; i < request.size; ++i) {
    if (!std::binary_search(split.calibration.begin(), split.calibration.end(), i)) others.push_back(i);
  }
  const size_t search = std::max<size_t>(1, std::min(request.search, others.size() / 2));
  const std::vector<size_t> chosen = quantize::ChooseSamples(others.size(), search, request.seed + 1);
  std::vector<size_t> rest;
  for (size_t i = 0; i < others.size(); ++i) {
    (std::binary_search(chosen.begin(), chosen.end(), i) ? split.search : rest).push_back(others[i]);
  }
  for (const size_t i : quantize::ChooseSamples(rest.size(), std::max<size_t>(1, request.report), request.seed + 2)) {
    split.report.push_back(rest[i]);
  }
  return split;
}

PreparedSamples::PreparedSamples(const data::Dataset& all, std::vector<size_t> chosen, const Pipeline& pipeline,
                                 uint64_t memory_bytes)
    : all_(all), chosen_(std::move(chosen)), pipeline_(pipeline), memory_bytes_(memory_bytes), kept_(chosen_.size()) {
  if (!all.holds_pictures()) remaining_ = pipeline;
  label_count_ = all.label_count();
  class_names_ = all.class_names();
}

data::Sample PreparedSamples::Load(size_t index) const {
  {
    const std::scoped_lock lock(mutex_);
    if (const std::optional<Kept>& kept = kept_[index]; kept.has_value()) {
      data::Sample sample;
      sample.name = kept->name;
      sample.label = LabelOf(index);
      sample.arrays.emplace_back("", kept->value);
      return sample;
    }
  }
  data::Sample sample = all_.Load(chosen_[index]);
  if (sample.picture.empty()) return sample;
  Array value = PreprocessImage(pipeline_, sample.picture, sample.name);
  sample.picture.clear();
  {
    const std::scoped_lock lock(mutex_);
    const uint64_t bytes = value.bytes().size();
    if (!kept_[index].has_value() && bytes <= memory_bytes_ - used_) {
      kept_[index] = Kept{sample.name, value};
      used_ += bytes;
    }
  }
  sample.arrays.emplace_back("", std::move(value));
  return sample;
}

uint64_t PreparedSamples::Fingerprint(int threads) const {
  std::vector<uint64_t> hashes(size());
  ParallelFor(size(), threads, [&](size_t i, int) {
    const data::Sample sample = all_.Load(chosen_[i]);
    // Folders may move: the name without its path.
    const std::string name = sample.name.substr(sample.name.rfind('/') + 1);
    uint64_t hash = HashBytes(name.data(), name.size());
    hash = HashBytes(&sample.label, sizeof(sample.label), hash);
    hash = HashBytes(sample.picture.data(), sample.picture.size(), hash);
    for (const auto& [key, array] : sample.arrays) {
      hash = HashBytes(key.data(), key.size(), hash);
      hash = HashBytes(array.bytes().data(), array.bytes().size(), hash);
    }
    hashes[i] = hash;
  });
  return HashBytes(hashes.data(), hashes.size() * sizeof(uint64_t));
}

}  // namespace assay::tune
