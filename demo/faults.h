// Faults as they happen in the field, planted in the demo's int8 model or in what is fed to it: the test of the
// diagnosis.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compare/compare.h"
#include "graph/model.h"

namespace assay::demo {

enum class FaultKind : uint8_t {
  kInputRange,      // pixels arrive in -1..1, in 0..255 or at half their brightness instead of 0..1
  kInversion,       // dark ink on a light ground
  kLabelShift,      // the classes come in an order that is shifted
  kRangeBlownUp,    // one outlier while calibrating: an activation's step is 8 to 32 times too coarse
  kRangeTooNarrow,  // an activation clips at a quarter to an eighth of its range
  kWeightChannels,  // the scales of some of a layer's channels are wrong
  kWeightsCoarse,   // a layer's weights with one scale that is far too large
  kBiasZeroed,      // a layer lost its bias
  kCount
};
std::string_view FaultName(FaultKind kind);

struct PlantedFault {
  FaultKind kind = FaultKind::kInputRange;
  std::string layer;       // the tensor that the faulty layer computes; "" where no layer is at fault
  std::string truth;       // one sentence
  std::string preprocess;  // what feeds the faulty model; the reference is fed scale=1/255
  std::shared_ptr<const graph::Model> model;
};

// The seed chooses kind, layer and size. A draw that changes the answers of less than one in thirty of a sample of
// digits is drawn again.
PlantedFault PlantFault(uint64_t seed, const std::shared_ptr<const graph::Model>& int8_model);

// Whether the diagnosis named the layer or the kind.
bool IsNamed(const PlantedFault& fault, const compare::CompareResult& result);

}  // namespace assay::demo
