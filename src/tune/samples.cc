#include "tune/samples.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/error.h"
#include "base/parallel.h"
#include "quantize/quantize.h"

namespace assay::tune {

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

uint64_t Fingerprint(const data::Dataset& all, const std::vector<size_t>& chosen, int threads) {
  std::vector<uint64_t> hashes(chosen.size());
  ParallelFor(chosen.size(), threads, [&](size_t i, int) {
    const data::Sample sample = all.Load(chosen[i]);
    // Folders may move: the name without its path.
    const std::string name = sample.name.substr(sample.name.rfind('/') + 1);
    uint64_t& hash = hashes[i];
    const auto add = [&](const void* bytes, size_t size) {
      hash = Checksum({static_cast<const uint8_t*>(bytes), size}, /*seed=*/hash);
    };
    add(name.data(), name.size());
    add(&sample.label, sizeof(sample.label));
    add(sample.picture.data(), sample.picture.size());
    for (const auto& [key, array] : sample.arrays) {
      add(key.data(), key.size());
      add(array.bytes().data(), array.bytes().size());
    }
  });
  return Checksum({reinterpret_cast<const uint8_t*>(hashes.data()), hashes.size() * sizeof(uint64_t)});
}

}  // namespace assay::tune
