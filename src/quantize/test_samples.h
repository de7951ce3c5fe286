// Samples in memory and small float networks for the tests of this layer.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "data/dataset.h"
#include "graph/model_builder.h"

namespace assay::quantize {

class MemorySamples : public data::Dataset {
 public:
  explicit MemorySamples(std::vector<Array> samples, std::vector<int64_t> labels = {})
      : samples_(std::move(samples)), labels_(std::move(labels)) {
    for (const int64_t label : labels_) label_count_ = std::max(label_count_, label + 1);
  }
  // Normal numbers.
  static MemorySamples Random(size_t count, const Shape& shape, uint64_t seed = 1) {
    std::vector<Array> samples;
    for (size_t i = 0; i < count; ++i) {
      assay::Random random(seed, i);
      Array sample(DType::kFloat32, shape);
      for (float& v : sample.values<float>()) v = static_cast<float>(random.Normal());
      samples.push_back(std::move(sample));
    }
    return MemorySamples(std::move(samples));
  }

  size_t size() const override { return samples_.size(); }
  data::Sample Load(size_t index) const override {
    data::Sample sample;
    sample.name = fmt::format("sample {}", index);
    sample.label = LabelOf(index);
    sample.arrays.emplace_back("", samples_[index]);
    return sample;
  }
  int64_t LabelOf(size_t index) const override { return labels_.empty() ? -1 : labels_[index]; }
  bool holds_pictures() const override { return false; }
  bool has_labels() const override { return !labels_.empty(); }

  std::vector<Array>& samples() { return samples_; }

 private:
  std::vector<Array> samples_;
  std::vector<int64_t> labels_;
};

inline std::vector<float> RandomValues(size_t count, uint64_t seed, float scale = 1) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = scale * static_cast<float>(random.Normal());
  return values;
}

// Of the first subgraph, in order.
inline std::vector<std::string> OpNames(const graph::Model& model) {
  std::vector<std::string> names;
  for (const graph::Operator& op : model.subgraphs[0].operators) names.emplace_back(op.Name());
  return names;
}

// y = softmax(dense(maxpool(relu6(conv(x)) ++ conv(x)))) on [1,4,4,3].
struct SmallNetwork {
  graph::ModelBuilder m;
  int x = -1, left = -1, right = -1, both = -1, pooled = -1, flat = -1, logits = -1, y = -1;

  SmallNetwork() {
    using graph::BuiltinOp;
    x = m.Input("x", DType::kFloat32, {1, 4, 4, 3});
    left = Conv("left", 3, 11);
    right = Conv("right", 0, 12);
    both = m.Tensor("both", DType::kFloat32, {1, 4, 4, 8});
    m.Op(BuiltinOp::kConcatenation, {left, right}, {both}, {{"axis", 3}});
    pooled = m.Tensor("pooled", DType::kFloat32, {1, 2, 2, 8});
    m.Op(BuiltinOp::kMaxPool2D, {both}, {pooled},
         {{"padding", 1}, {"stride_w", 2}, {"stride_h", 2}, {"filter_width", 2}, {"filter_height", 2}});
    flat = m.Tensor("flat", DType::kFloat32, {1, 32});
    m.Op(BuiltinOp::kReshape, {pooled, m.Constant("shape", {2}, std::vector<int32_t>{1, 32})}, {flat});
    logits = m.Tensor("logits", DType::kFloat32, {1, 5});
    m.Op(BuiltinOp::kFullyConnected,
         {flat, m.Constant("dense/weights", {5, 32}, RandomValues(160, 13, 0.2F)),
          m.Constant("dense/bias", {5}, RandomValues(5, 14))},
         {logits});
    y = m.Tensor("y", DType::kFloat32, {1, 5});
    m.Op(BuiltinOp::kSoftmax, {logits}, {y}, {{"beta", 1.0}});
    m.Output(y);
  }

  int Conv(const char* name, int activation, uint64_t seed) {
    const int out = m.Tensor(name, DType::kFloat32, {1, 4, 4, 4});
    m.Op(graph::BuiltinOp::kConv2D,
         {x, m.Constant(std::string(name) + "/weights", {4, 3, 3, 3}, RandomValues(108, seed, 0.3F)),
          m.Constant(std::string(name) + "/bias", {4}, RandomValues(4, seed + 100))},
         {out}, {{"padding", 0}, {"stride_w", 1}, {"stride_h", 1}, {"fused_activation_function", activation}});
    return out;
  }
};

}  // namespace assay::quantize
