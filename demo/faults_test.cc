#include "demo/faults.h"

#include <gtest/gtest.h>

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
  for (uint64_t seed = 0; seed < 2 * static_cast<uint64_t>(FaultKind::kCount); ++seed) {
    const PlantedFault a = PlantFault(seed, model), b = PlantFault(seed, model);
    EXPECT_EQ(static_cast<uint64_t>(a.kind), seed % static_cast<uint64_t>(FaultKind::kCount));
    EXPECT_EQ(a.truth, b.truth);
    EXPECT_NO_THROW(graph::Verify(*a.model)) << a.truth;
    EXPECT_EQ(tflite::SerializeModel(*a.model), tflite::SerializeModel(*b.model));
    const bool in_the_model = tflite::SerializeModel(*a.model) != tflite::SerializeModel(*model);
    EXPECT_EQ(in_the_model, a.preprocess == "scale=1/255") << a.truth;
  }
}

TEST(Faults, ADiagnosisIsRightOnlyWithTheLayerOrTheKind) {
  PlantedFault fault;
  fault.kind = FaultKind::kBiasZeroed;
  fault.layer = "stem";
  compare::CompareResult result;
  result.layers.resize(1);
  result.layers[0].name = "stem";
  EXPECT_FALSE(IsNamed(fault, result));
  result.verdict.layer = 0;
  EXPECT_TRUE(IsNamed(fault, result));
  result.layers[0].name = "head";
  EXPECT_FALSE(IsNamed(fault, result));
  result.verdict.cause = compare::Cause::kBiasDiffers;
  EXPECT_TRUE(IsNamed(fault, result));
}

}  // namespace
}  // namespace assay::demo
