#include "format/keras/masks.h"

#include <algorithm>

#include "base/error.h"

namespace assay::keras {
namespace {

using graph::BuiltinOp;
using graph::kNoTensor;

// Those with supports_masking and no compute_mask of their own: the first
// input's mask goes on.
constexpr std::string_view kKeep[] = {"Activation",
                                      "ActivityRegularization",
                                      "AlphaDropout",
                                      "BatchNormalization",
                                      "Dense",
                                      "Dropout",
                                      "ELU",
                                      "GaussianDropout",
                                      "GaussianNoise",
                                      "GroupNormalization",
                                      "LayerNormalization",
                                      "LeakyReLU",
                                      "MultiHeadAttention",
                                      "PReLU",
                                      "ReLU",
                                      "Softmax",
                                      "SpatialDropout1D",
                                      "SpatialDropout2D",
                                      "SpatialDropout3D",
                                      "ThresholdedReLU",
                                      "TimeDistributed",
                                      "UnitNormalization",
                                      "GroupQueryAttention",
                                      "GroupedQueryAttention"};
constexpr std::string_view kKeepSince3[] = {"Identity", "Rescaling", "Normalization"};
constexpr std::string_view kElementwiseMerges[] = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"};

template <size_t kCount>
bool IsOneOf(const std::string_view (&list)[kCount], std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

// Keras 2: what every mask lets through. Keras 3: what any lets through, and
// nothing where one input has no mask.
Id OfMerge(LayerCall& c) {
  Id all = kNoTensor;
  for (const Id mask : c.masks) {
    if (mask == kNoTensor && c.keras_major >= 3) return kNoTensor;
    if (mask == kNoTensor) continue;
    all = all == kNoTensor     ? mask
          : c.keras_major >= 3 ? LogicalOr(c.g, "mask", all, mask)
                               : LogicalAnd(c.g, "mask", all, mask);
  }
  return all;
}

Id OfConcatenation(LayerCall& c) {
  if (std::all_of(c.masks.begin(), c.masks.end(), [](Id mask) { return mask == kNoTensor; })) return kNoTensor;
  const int rank = c.g.rank(c.input());
  const int32_t axis = c.g.Axis(c.input(), c.Int("axis", -1));
  if (rank == 3 && axis == 2) return OfMerge(c);
  if (rank != 3 || axis != 1) c.Unsupported("the mask of a concatenation along axis " + std::to_string(axis));
  std::vector<Id> parts;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    Id mask = c.masks[i];
    if (mask == kNoTensor) {
      const Id ones = c.g.FillLike("mask/ones", c.inputs[i], {c.g.shape(c.inputs[i])[1]}, 1);
      mask = NotEqual(c.g, "mask/all", ones, 0);
    }
    parts.push_back(mask);
  }
  return c.g.Concat("mask", parts, 1);
}

}  // namespace

Id LogicalAnd(GraphBuilder& g, std::string_view name, Id a, Id b) {
  return g.Op(BuiltinOp::kLogicalAnd, name, {a, b}, {}, DType::kBool);
}

Id LogicalOr(GraphBuilder& g, std::string_view name, Id a, Id b) {
  return g.Op(BuiltinOp::kLogicalOr, name, {a, b}, {}, DType::kBool);
}

Id NotEqual(GraphBuilder& g, std::string_view name, Id x, double value) {
  const std::string constant = std::string(name) + "/y";
  const Id y = g.info(x).dtype == DType::kFloat32 ? g.Scalar(constant, static_cast<float>(value))
                                                  : g.IntScalar(constant, static_cast<int32_t>(value));
  if (g.info(x).dtype != DType::kFloat32) x = g.Cast("Cast", x, DType::kInt32);
  return g.Op(BuiltinOp::kNotEqual, name, {x, y}, {}, DType::kBool);
}

Id Where(GraphBuilder& g, std::string_view name, Id condition, Id x, Id otherwise) {
  return g.Op(BuiltinOp::kSelectV2, name, {condition, x, otherwise}, {}, g.info(x).dtype);
}

Id MaskByClass(LayerCall& c) {
  if (c.masks.empty()) return kNoTensor;
  if (IsOneOf(kKeep, c.class_name) || (c.keras_major >= 3 && IsOneOf(kKeepSince3, c.class_name))) return c.Mask();
  if (IsOneOf(kElementwiseMerges, c.class_name)) return OfMerge(c);
  if (c.class_name == "Concatenate") return OfConcatenation(c);
  return kNoTensor;
}

}  // namespace assay::keras
