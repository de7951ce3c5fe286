#include "eval/prepared_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/npy.h"

namespace assay::eval {
namespace {

// One photo over and over, or arrays; counts how often each is loaded.
class Counted final : public data::Dataset {
 public:
  Counted(size_t size, bool pictures) : loads(size), pictures_(pictures) {
    const NamedArrays goldens = ReadNpz(ASSAY_SOURCE_DIR "/src/image/testdata/decode.npz");
    const auto bytes = FindArray(goldens, "file/png_rgb8")->bytes();
    picture_.assign(bytes.begin(), bytes.end());
    label_count_ = 5;
  }
  size_t size() const override { return loads.size(); }
  bool holds_pictures() const override { return pictures_; }
  int64_t LabelOf(size_t index) const override { return static_cast<int64_t>(index % 5); }
  data::Sample Load(size_t index) const override {
    ++loads[index];
    data::Sample sample;
    sample.name = std::to_string(index);
    sample.label = LabelOf(index);
    if (pictures_) {
      sample.picture = picture_;
    } else {
      sample.arrays.emplace_back("x", Array(DType::kFloat32, {1, 2}));
    }
    return sample;
  }
  mutable std::vector<int> loads;

 private:
  bool pictures_;
  std::vector<uint8_t> picture_;
};

std::vector<uint8_t> BytesOf(const data::Sample& sample) {
  const auto bytes = sample.arrays.at(0).second.bytes();
  return {bytes.begin(), bytes.end()};
}

TEST(PreparedSamplesTest, DecodesOnceWhatFitsIntoMemory) {
  const Pipeline pipeline = ParsePreprocess("resize=8x8:opencv-linear,scale=1/255");
  constexpr uint64_t kBytes = 8 * 8 * 3 * sizeof(float);
  const std::vector<size_t> chosen = {7, 2, 9};
  for (const size_t fits : {0, 1, 2, 3}) {
    const Counted all(10, /*pictures=*/true);
    const PreparedSamples samples(all, chosen, pipeline, fits * kBytes + kBytes - 1);
    EXPECT_EQ(samples.size(), 3U);
    EXPECT_FALSE(samples.holds_pictures());
    EXPECT_EQ(samples.label_count(), 5);
    for (int round = 0; round < 3; ++round) {
      for (size_t i = 0; i < chosen.size(); ++i) {
        const data::Sample sample = samples.Load(i);
        EXPECT_EQ(sample.name, std::to_string(chosen[i]));
        EXPECT_EQ(sample.label, all.LabelOf(chosen[i]));
        EXPECT_TRUE(sample.picture.empty());
        const Array expected = PreprocessImage(pipeline, all.Load(chosen[i]).picture, "expected");
        EXPECT_TRUE(std::ranges::equal(BytesOf(sample), expected.bytes()));
        --all.loads[chosen[i]];
      }
    }
    EXPECT_TRUE(samples.remaining_pipeline().steps.empty());
    for (size_t i = 0; i < chosen.size(); ++i) EXPECT_EQ(all.loads[chosen[i]], i < fits ? 1 : 3) << i << " of " << fits;
  }
}

TEST(PreparedSamplesTest, HandsArraysThrough) {
  const Pipeline pipeline = ParsePreprocess("scale=1/255");
  const Counted all(4, /*pictures=*/false);
  const PreparedSamples samples(all, {3}, pipeline, uint64_t{1} << 20);
  EXPECT_EQ(samples.remaining_pipeline().ToString(), pipeline.ToString());
  EXPECT_EQ(samples.Load(0).arrays.at(0).first, "x");
  EXPECT_EQ(samples.Load(0).name, "3");
  EXPECT_EQ(all.loads[3], 2);
}

}  // namespace
}  // namespace assay::eval
