// Builds graphs out of TFLite ops, for whatever reads another framework's models. Shapes come from the ops' own
// kernels; a dimension that depends on an open one (the batch) stays open. Every block returns the tensor that it
// computes.
//
//   GraphBuilder g("model.h5");
//   const Id x = g.Input("serving_default_x:0", DType::kFloat32, {-1, 28, 28, 1});
//   g.SetScope("model/conv");
//   const Id y = g.Conv2D("Conv2D", x, weights, bias, {.stride_h = 2, .stride_w = 2});
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/attributes.h"
#include "graph/model.h"

namespace assay::lowering {

using Id = int32_t;  // a tensor of the current subgraph; graph::kNoTensor: absent

struct Window {
  int32_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  graph::Padding padding = graph::Padding::kValid;
};

class GraphBuilder {
 public:
  explicit GraphBuilder(std::string source);

  // Names of new tensors start with "SCOPE/"; an empty one leaves them as they are.
  void SetScope(std::string scope) { scope_ = std::move(scope); }
  const std::string& scope() const { return scope_; }

  // From now on an op whose operands are all constant, or whose integer result is known, becomes a constant at once, as
  // long as those operands have no more than `max_bytes` in all.
  void FoldAsBuilt(uint64_t max_bytes) {
    folds_ = true;
    fold_budget_ = max_bytes;
  }

  // Subgraphs of WHILE and IF: tensors below belong to the one begun last, until it ends. Returns its index.
  int BeginSubgraph(std::string name);
  void EndSubgraph(std::vector<Id> outputs);
  int current_subgraph() const { return static_cast<int>(open_.back()); }
  const std::vector<Id>& inputs() const { return current().inputs; }
  size_t operator_count() const { return current().operators.size(); }
  int subgraph_count() const { return static_cast<int>(model_.subgraphs.size()); }
  // Forgets the subgraphs from this index on, none of which is in use: what was built to learn shapes.
  void DropSubgraphs(int first);

  // A tensor's type and its shape at both sizes of what is open.
  struct Kind {
    DType dtype = DType::kFloat32;
    Shape low, high;
    bool operator==(const Kind&) const = default;
  };
  Kind KindOf(Id id) const { return {info(id).dtype, ShapeAt(id, false), ShapeAt(id, true)}; }
  // An input of the current subgraph, or an op's outputs, of kinds that the caller knows.
  Id InputOfKind(const std::string& name, const Kind& kind);
  std::vector<Id> OpsOfKinds(graph::BuiltinOp code, std::string_view name, const std::vector<Id>& inputs,
                             graph::Attributes attributes, const std::vector<Kind>& kinds);
  // The values of an int32 or int64 tensor, where constants and shapes alone decide them: at the low or the high size
  // of what is open.
  std::optional<std::vector<int64_t>> IntValues(Id id, bool high) const;

  // -1 marks an open dimension.
  Id Input(const std::string& name, DType dtype, const std::vector<int32_t>& dims);
  Id ConstantBytes(const std::string& name, DType dtype, Shape shape, graph::Constant data);
  Id Floats(const std::string& name, Shape shape, std::vector<float> values);
  // Rounded to float32; passes that fold them know what they were.
  Id Doubles(const std::string& name, Shape shape, std::vector<double> values);
  Id Scalar(const std::string& name, float value) { return Floats(name, {}, {value}); }
  Id Ints(const std::string& name, std::span<const int32_t> values);
  Id Ints(const std::string& name, std::initializer_list<int32_t> values) {
    return Ints(name, std::span<const int32_t>(values.begin(), values.size()));
  }
  Id IntScalar(const std::string& name, int32_t value);

  const graph::Tensor& info(Id id) const { return current().tensors[static_cast<size_t>(id)]; }
  const Shape& shape(Id id) const { return info(id).shape; }  // for a batch of 1, where that is open
  int rank(Id id) const { return shape(id).rank(); }
  bool IsOpen(Id id, int axis) const;
  std::vector<int32_t> Dims(Id id) const;        // -1 where a dimension is open
  const graph::Operator* Producer(Id id) const;  // the op that computes a tensor; null for inputs and constants
  void Rename(Id id, std::string name) { current().tensors[static_cast<size_t>(id)].name = std::move(name); }
  int32_t Axis(Id id, int64_t axis) const;  // from the front; throws InputError

  // Any op with one output, of the first input's type unless another is given.
  Id Op(graph::BuiltinOp code, std::string_view name, const std::vector<Id>& inputs, graph::Attributes attributes = {},
        std::optional<DType> dtype = {});
  std::vector<Id> Ops(graph::BuiltinOp code, std::string_view name, const std::vector<Id>& inputs,
                      graph::Attributes attributes, const std::vector<DType>& dtypes);
  // An op whose outputs' shapes the caller knows (WHILE).
  std::vector<Id> OpsLike(graph::BuiltinOp code, std::string_view name, const std::vector<Id>& inputs,
                          graph::Attributes attributes, const std::vector<Id>& like);

  // ---- blocks
  Id Add(std::string_view name, Id a, Id b), Sub(std::string_view name, Id a, Id b);
  Id Mul(std::string_view name, Id a, Id b), Div(std::string_view name, Id a, Id b);
  Id Conv2D(std::string_view name, Id x, Id filter_ohwi, Id bias, const Window& window);
  Id DepthwiseConv2D(std::string_view name, Id x, Id filter_1hwo, Id bias, const Window& window);
  // `output_hw` is the spatial size of the result; the batch is taken from x.
  Id TransposeConv(std::string_view name, Id x, Id filter_ohwi, Id bias, const Window& window, int32_t output_h,
                   int32_t output_w);
  Id FullyConnected(std::string_view name, Id x, Id weights_oi, Id bias);  // along the last axis, whatever the rank
  Id BatchMatMul(std::string_view name, Id a, Id b, bool transpose_a = false, bool transpose_b = false);
  Id Pool2D(graph::BuiltinOp code, std::string_view name, Id x, int32_t filter_h, int32_t filter_w,
            const Window& window);
  Id Reshape(std::string_view name, Id x, const std::vector<int32_t>& dims);  // at most one -1
  Id Transpose(std::string_view name, Id x, const std::vector<int32_t>& permutation);
  Id Pad(std::string_view name, Id x, const std::vector<std::pair<int32_t, int32_t>>& amounts, float value = 0);
  Id Concat(std::string_view name, const std::vector<Id>& xs, int axis);
  Id Reduce(graph::BuiltinOp code, std::string_view name, Id x, const std::vector<int32_t>& axes, bool keep_dims);
  Id Softmax(std::string_view name, Id x, int axis = -1);
  Id Slice(std::string_view name, Id x, int axis, int32_t begin, int32_t size);  // size -1: to the end
  Id Select(std::string_view name, Id x, int axis, int32_t index);               // drops the axis
  Id Reverse(std::string_view name, Id x, int axis);
  Id Gather(std::string_view name, Id x, Id indices, int axis, int batch_dims = 0);
  Id Cast(std::string_view name, Id x, DType to);
  Id Tile(std::string_view name, Id x, const std::vector<int32_t>& counts);
  Id Resize(graph::BuiltinOp code, std::string_view name, Id x, int32_t height, int32_t width, bool half_pixel_centers,
            bool align_corners = false);
  // A constant tensor of the value with x's open batch: [batch, dims...].
  Id FillLike(std::string_view name, Id x, const std::vector<int32_t>& dims, float value);

  void AddSignature(std::string key, std::vector<graph::SignatureTensor> inputs,
                    std::vector<graph::SignatureTensor> outputs);
  // The model with the main subgraph's outputs; the builder is then empty.
  graph::Model Finish(std::vector<Id> outputs);

 private:
  // An integer tensor's value, where constants and shapes alone decide it: for two different sizes of what is open.
  struct KnownValue {
    std::vector<uint8_t> at_low, at_high;
  };

  graph::Subgraph& current() { return model_.subgraphs[open_.back()]; }
  const graph::Subgraph& current() const { return model_.subgraphs[open_.back()]; }
  Id BiasOrZeros(std::string_view name, Id bias, int32_t channels);
  std::string NewName(std::string_view name);
  Id NewTensor(std::string name, DType dtype);
  // An op with new tensors for its outputs, not yet part of the graph; AddOp makes it that.
  graph::Operator NewOp(graph::BuiltinOp code, const std::string& full_name, const std::vector<Id>& inputs,
                        graph::Attributes attributes, const std::vector<DType>& dtypes);
  std::vector<Id> AddOp(graph::Operator op);
  void Infer(const graph::Operator& op);
  bool Fold(const graph::Operator& op);
  bool AreKnown(const std::vector<Id>& outputs);
  bool IsOpenAnywhere(Id id) const;
  void SetKind(Id id, const Kind& kind);
  Shape ShapeAt(Id id, bool high) const;

  graph::Model model_;
  std::string scope_;
  bool folds_ = false;
  uint64_t fold_budget_ = 0;
  std::vector<size_t> open_ = {0};
  std::map<std::string, int> names_;
  std::vector<std::map<Id, KnownValue>> known_;  // per subgraph
  std::vector<std::map<Id, Shape>> high_;        // per subgraph: shapes of tensors with open dimensions at kHigh
};

// The format's version of the op that its operands and options need, for float models.
int32_t FloatOpVersion(const graph::Subgraph& subgraph, const graph::Operator& op);

std::vector<float> FloatsOf(const graph::Tensor& constant);  // a float32 constant's values

}  // namespace assay::lowering
