// What passes share: who computes a tensor, who reads it, how constants are replaced.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/attributes.h"
#include "graph/model.h"

namespace assay::passes {

// An index of one subgraph. Rewrites keep it valid only where they say so; build a new one after each.
class Uses {
 public:
  explicit Uses(const graph::Subgraph& graph);
  int32_t producer(int32_t tensor) const { return producer_[static_cast<size_t>(tensor)]; }  // an op; -1: none
  int readers(int32_t tensor) const { return readers_[static_cast<size_t>(tensor)]; }        // graph outputs count
  bool IsOutput(int32_t tensor) const { return is_output_[static_cast<size_t>(tensor)]; }

 private:
  std::vector<int32_t> producer_;
  std::vector<int> readers_;
  std::vector<bool> is_output_;
};

inline graph::Tensor& TensorAt(graph::Subgraph& graph, int32_t tensor) {
  return graph.tensors[static_cast<size_t>(tensor)];
}
inline const graph::Tensor& TensorAt(const graph::Subgraph& graph, int32_t tensor) {
  return graph.tensors[static_cast<size_t>(tensor)];
}
bool IsConstant(const graph::Subgraph& graph, int32_t tensor);
bool IsFloatConstant(const graph::Subgraph& graph, int32_t tensor);

// Values of a constant of this type; nothing where it is none.
std::optional<std::vector<float>> FloatValues(const graph::Subgraph& graph, int32_t tensor);
// The same before they were rounded, where that is known.
std::optional<std::vector<double>> ExactValues(const graph::Subgraph& graph, int32_t tensor);
std::optional<std::vector<int32_t>> IntValues(const graph::Subgraph& graph, int32_t tensor);
int32_t AddFloatConstant(graph::Subgraph& graph, std::string name, Shape shape, std::span<const float> values);
int32_t AddExactConstant(graph::Subgraph& graph, std::string name, Shape shape, std::vector<double> values);
int32_t AddIntConstant(graph::Subgraph& graph, std::string name, Shape shape, std::span<const int32_t> values);

graph::Activation FusedActivation(const graph::Operator& op);

// Every reader of `from` reads `to` instead, the graph's outputs included.
void ReplaceTensor(graph::Subgraph& graph, int32_t from, int32_t to);
// What reads `tensor` reads `stand_in` from now on, whose value is the same. False, and nothing done, where `tensor` is
// an output of the graph and `stand_in` cannot take its place there (an input, a constant, another output).
bool Bypass(graph::Subgraph& graph, const Uses& uses, int32_t tensor, int32_t stand_in);
bool IsElementwiseUnary(graph::BuiltinOp code);
bool HasSideEffects(graph::BuiltinOp code);
// Every dimension is known, whatever the batch.
inline bool IsStatic(const graph::Tensor& tensor) {
  if (!tensor.shape_signature.has_value()) return true;
  for (const int32_t dim : *tensor.shape_signature) {
    if (dim < 0) return false;
  }
  return true;
}
std::vector<int32_t> DimsOf(const graph::Tensor& tensor);  // -1 where open

// Drops the marked ops.
void EraseOps(graph::Subgraph& graph, const std::vector<bool>& erase);
// "b;a": the name of a tensor that stands for both, as TensorFlow's converter writes it.
std::string JoinNames(const std::string& later, const std::string& earlier);

}  // namespace assay::passes
