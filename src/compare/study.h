// The samples of the comparison layer by layer: what every tensor held on both sides, and in a float form of the model
// whose tensors are rounded to their codes, so that single layers can be exchanged for float ones.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "compare/compare.h"
#include "passes/extract_segment.h"
#include "tensor/array.h"

namespace assay::compare {

// Values by tensor index of a main subgraph.
class TensorValues {
 public:
  TensorValues() = default;
  explicit TensorValues(size_t tensors) : values_(tensors) {}
  bool Has(int32_t tensor) const {
    return tensor >= 0 && static_cast<size_t>(tensor) < values_.size() &&
           values_[static_cast<size_t>(tensor)].has_value();
  }
  const Array& at(int32_t tensor) const { return *values_[static_cast<size_t>(tensor)]; }
  void Set(int32_t tensor, Array value) { values_[static_cast<size_t>(tensor)] = std::move(value); }
  // Where to put a value; what lay there stays until it is written over.
  Array& Place(int32_t tensor) {
    std::optional<Array>& value = values_[static_cast<size_t>(tensor)];
    return value.has_value() ? *value : value.emplace();
  }
  void Drop(int32_t tensor) { values_[static_cast<size_t>(tensor)].reset(); }
  size_t tensors() const { return values_.size(); }
  uint64_t bytes() const;

 private:
  std::vector<std::optional<Array>> values_;
};

struct SampleTrace {
  TensorValues reference, model;
  TensorValues simulated;  // empty where there is no simulation
};

// Everything that an op computes or that is fed, as far as it can be read.
TensorValues ReadTensors(const runtime::Interpreter& interpreter, const graph::Subgraph& graph);
void ReadTensors(const runtime::Interpreter& interpreter, const graph::Subgraph& graph, TensorValues& values);

// Whether a runtime gives other outputs for the same inputs when nobody asks it for the tensors between, as it may
// where it fuses ops. `values` were read with all tensors asked for.
bool ReadingChangesOutputs(const std::shared_ptr<const graph::Model>& model, runtime::InterpreterOptions options,
                           const TensorValues& values);

struct TensorView {
  DType dtype = DType::kFloat32;
  const Shape& shape;
  std::span<const uint8_t> bytes;
};
inline TensorView ViewOf(const Array& array) { return {array.dtype(), array.shape(), array.bytes()}; }

// One cut-out part of a model, ready to run many times.
class SegmentRunner {
 public:
  SegmentRunner(passes::Segment segment, const runtime::InterpreterOptions& options, runtime::OpHook hook = {});
  const std::vector<int32_t>& inputs() const { return inputs_; }
  // One value per input; returns one per wanted tensor.
  std::vector<Array> Run(const std::vector<Array>& values);
  // The same without copies: `shapes` by input, `fill` writes an input's values where they lie.
  void Run(const std::vector<Shape>& shapes, const std::function<void(size_t input, std::span<uint8_t>)>& fill);
  TensorView Result(size_t output) const;  // of the last Run

 private:
  std::vector<int32_t> inputs_, outputs_;
  runtime::Interpreter interpreter_;
};

// Rounds every output of an op to the codes of the quantized tensor that it is in `quantized`, but for those in `skip`
// (main subgraph).
runtime::OpHook FakeQuantizeOutputs(std::shared_ptr<const graph::Model> quantized, std::set<int32_t> skip = {});

// A tensor's value as real numbers.
std::vector<float> RealValuesOf(const Array& value, const graph::Tensor& tensor);
// The same; floats where they lie, all else in `room`.
std::span<const float> RealValuesOf(const TensorView& value, const graph::Tensor& tensor, std::vector<float>& room);
std::span<const float> RealValuesOf(const Array& value, const graph::Tensor& tensor, std::vector<float>& room);
// Real numbers as `tensor` stores them, saturating.
Array StoreAs(std::span<const float> values, const graph::Tensor& tensor, const Shape& shape);
void StoreAs(std::span<const float> values, const graph::Tensor& tensor, std::span<uint8_t> bytes);
// FakeQuantize by a tensor's single scale, where it has one.
void RoundToCodes(std::span<float> values, const Quantization& quantization, DType codes);
Array FloatArray(const std::vector<float>& values, const Shape& shape);

// A pair of tensors whose distance is part of the loss.
struct LossTerm {
  int32_t reference = 0, model = 0;
};

struct Study {
  std::shared_ptr<const graph::Model> reference, model;
  std::shared_ptr<const graph::Model> float_reference;  // the reference itself where it is float; null: has none
  std::shared_ptr<const graph::Model> float_model;      // null: has none, `simulation_missing` says why
  std::string simulation_missing;
  std::vector<TensorMatch> matches;  // by the model's tensors
  std::vector<LossTerm> loss_terms;  // the last one is the output that answers are read from
  bool weights_need_rounding =
      true;                  // false: the reference's weights are codes already, faultless quantization keeps them
  bool has_answers = false;  // the last term's greatest score is an answer
  runtime::InterpreterOptions options;  // of our kernels
  // What computes the two in place of our kernels, their layers alone included. Float forms are always ours.
  std::shared_ptr<const runtime::Delegate> reference_delegate, model_delegate;
  int threads = 1;
  std::function<void(size_t done, size_t total)> progress;
  std::vector<SampleTrace> traces;

  const graph::Subgraph& reference_graph() const { return reference->subgraphs[0]; }
  const graph::Subgraph& model_graph() const { return model->subgraphs[0]; }
  const graph::Tensor& reference_tensor(int32_t t) const { return reference_graph().tensors[static_cast<size_t>(t)]; }
  const graph::Tensor& model_tensor(int32_t t) const { return model_graph().tensors[static_cast<size_t>(t)]; }
  int32_t match_of(int32_t model_tensor) const { return matches[static_cast<size_t>(model_tensor)].reference; }
  // Both sides have the tensor's value in every trace, in equal numbers of elements.
  bool IsComparable(int32_t model_tensor) const;
  runtime::InterpreterOptions ModelOptions() const;
  void CheckCancelled() const;
};

// Sets the float forms and the loss terms (`label_count` 0: not a classifier as far as is known).
void PrepareStudy(Study& study, int64_t label_count);

// The scores of a sample, by model tensor.
using ScoresOf = std::function<std::vector<float>(size_t sample, int32_t model_tensor)>;

// What each sample adds to the loss of the scores against the reference's.
std::vector<double> LossesOf(const Study& study, const ScoresOf& scores);
// Their sum.
double LossOf(const Study& study, const ScoresOf& scores);
// Share of samples whose greatest score is the reference's.
double AgreementOf(const Study& study, const ScoresOf& scores);

// The model's op that computes each tensor, or -1.
std::vector<int32_t> Producers(const graph::Subgraph& graph);

// True for ops that only move or select values and so share their input's quantization.
bool PassesValuesOn(graph::BuiltinOp code);

}  // namespace assay::compare
