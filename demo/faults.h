// Faults as they happen in the field, planted in the demo's int8 model, in its preprocessing or in the data that both
// models get: the test of the diagnosis.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compare/compare.h"
#include "demo/digits.h"
#include "graph/model.h"

namespace assay::demo {

// Preprocessing that the demo's models were trained with.
inline constexpr std::string_view kPreprocess = "scale=1/255";

enum class FaultKind : uint8_t {
  kInputRange,        // another scale or offset than in training; an input calibrated on another range
  kInversion,         // dark ink on a light ground
  kPicturesTurned,    // flipped, transposed or turned: in the data, or by an op that a converter added
  kPicturesMoved,     // by up to nine pixels
  kLabelShift,        // the classes numbered from another start
  kRangeBlownUp,      // one outlier while calibrating: the upper end of a result's range is 8 to 32 times too far away
  kRangeTooNarrow,    // a result clips at a quarter to an eighth of its range
  kWeightsCoarse,     // a layer's weights with one scale for all channels, far too large
  kWeightChannels,    // the scales of one or some of a layer's channels are wrong
  kWeightsCorrupted,  // a layer's weights in the wrong order, or half of them overwritten
  kBiasZeroed,        // a layer lost its bias
  kCount
};
std::string_view FaultName(FaultKind kind);

// Done to digits and labels before both models get them; the pictures are transposed, then flipped, then moved.
struct DataFault {
  bool transpose = false, flip_vertical = false, flip_horizontal = false;
  int move_right = 0, move_down = 0;
  int label_shift = 0;

  bool operator==(const DataFault&) const = default;
};
DigitSet Spoil(const DataFault& fault, DigitSet digits);

struct PlantedFault {
  FaultKind kind = FaultKind::kInputRange;
  std::string layer;                   // the tensor that the faulty layer computes; "" where no layer is at fault
  std::string truth;                   // one sentence, without its full stop
  std::vector<compare::Cause> causes;  // any of which names the kind
  std::string preprocess, reference_preprocess;  // what feeds the faulty model and the reference
  DataFault data;
  std::shared_ptr<const graph::Model> model;
};

// Seeds go through all kinds in turn; place, layer and size are drawn from the seed. A draw that does little harm to a
// sample of digits is drawn again: one that changes less than one answer in thirty or, where both sides suffer alike
// and only the labels can tell, turns less than one right answer in four into a wrong one.
PlantedFault PlantFault(uint64_t seed, const std::shared_ptr<const graph::Model>& int8_model);

// Whether the diagnosis named the layer (false where no layer is at fault), the kind, one of the two.
bool NamesLayer(const PlantedFault& fault, const compare::CompareResult& result);
bool NamesKind(const PlantedFault& fault, const compare::CompareResult& result);
inline bool IsNamed(const PlantedFault& fault, const compare::CompareResult& result) {
  return NamesLayer(fault, result) || NamesKind(fault, result);
}

}  // namespace assay::demo
