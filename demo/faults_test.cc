#include "demo/faults.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "demo/embedded.h"
#include "demo/table.h"
#include "format/tflite/writer.h"
#include "graph/verifier.h"

namespace assay::demo {
namespace {

TEST(Embedded, TheDemosPairComesFirstAndEveryModelReads) {
  ASSERT_FALSE(EmbeddedPairs().empty());
  EXPECT_EQ(EmbeddedPairs()[0].name, "digits");
  for (const EmbeddedPair& pair : EmbeddedPairs()) {
    for (const bool int8 : {false, true}) {
      const auto model = ReadEmbedded(pair.name, int8);
      EXPECT_EQ(model->subgraphs[0].tensors[static_cast<size_t>(model->subgraphs[0].inputs[0])].dtype,
                int8 ? DType::kInt8 : DType::kFloat32);
    }
  }
}

TEST(Faults, EverySeedPlantsTheSameFaultTwiceAndAModelThatStillVerifies) {
  const auto model = ReadEmbedded("digits", true);
  for (uint64_t seed = 0; seed < static_cast<uint64_t>(FaultKind::kCount); ++seed) {
    const PlantedFault a = PlantFault(seed, model), b = PlantFault(seed, model);
    EXPECT_EQ(static_cast<uint64_t>(a.kind), seed % static_cast<uint64_t>(FaultKind::kCount));
    EXPECT_EQ(a.truth, b.truth);
    EXPECT_NO_THROW(graph::Verify(*a.model)) << a.truth;
    EXPECT_EQ(tflite::SerializeModel(*a.model), tflite::SerializeModel(*b.model));
    const bool in_the_model = tflite::SerializeModel(*a.model) != tflite::SerializeModel(*model);
    EXPECT_EQ(a.data, b.data);
    EXPECT_EQ(in_the_model + (a.preprocess != "scale=1/255") + (a.data != DataFault()), 1) << a.truth;
    EXPECT_EQ(a.layer.empty(), !in_the_model || a.kind == FaultKind::kLabelShift || a.kind == FaultKind::kInputRange)
        << a.truth;
    EXPECT_FALSE(a.causes.empty()) << a.truth;
  }
}

TEST(Faults, PicturesAreTransposedThenFlippedThenMovedAndLabelsWrapAround) {
  DigitSet digits;
  digits.labels = {3, 9};
  digits.images.assign(2 * kDigitPixels, 7);
  digits.images[kDigitPixels + 2] = 200;  // the second digit's row 0, column 2
  const DigitSet spoiled =
      Spoil({.transpose = true, .flip_vertical = true, .move_right = 5, .move_down = -1, .label_shift = 2}, digits);
  EXPECT_EQ(spoiled.labels, (std::vector<uint8_t>{5, 1}));
  const auto pixel = [&](int64_t digit, int y, int x) {
    return spoiled.images[static_cast<size_t>(digit * kDigitPixels + y * kDigitSide + x)];
  };
  // Transposed to row 2, column 0; flipped to row 25; moved to row 24, column 5.
  EXPECT_EQ(pixel(1, 24, 5), 200);
  EXPECT_EQ(std::count(spoiled.images.begin(), spoiled.images.end(), 200), 1);
  EXPECT_EQ(pixel(0, 10, 4), 0);
  EXPECT_EQ(pixel(0, 10, 5), 7);
  EXPECT_EQ(pixel(0, 26, 10), 7);
  EXPECT_EQ(pixel(0, 27, 10), 0);
  EXPECT_EQ(Spoil({}, digits).images, digits.images);
}

TEST(Faults, ADiagnosisIsRightOnlyWithTheLayerOrTheKind) {
  PlantedFault fault;
  fault.kind = FaultKind::kBiasZeroed;
  fault.layer = "stem";
  fault.causes = {compare::Cause::kBiasDiffers};
  compare::CompareResult result;
  result.layers.resize(1);
  result.layers[0].name = "stem";
  EXPECT_FALSE(IsNamed(fault, result));
  result.verdict.layer = 0;
  EXPECT_FALSE(IsNamed(fault, result));            // nothing is blamed
  result.verdict.cause = compare::Cause::kSpread;  // the layer that costs most of what many lose
  EXPECT_FALSE(IsNamed(fault, result));
  result.verdict.cause = compare::Cause::kUnexplained;
  EXPECT_TRUE(IsNamed(fault, result));
  result.layers[0].name = "head";
  EXPECT_FALSE(IsNamed(fault, result));
  result.verdict.cause = compare::Cause::kBiasDiffers;
  EXPECT_TRUE(IsNamed(fault, result));
}

}  // namespace
}  // namespace assay::demo
