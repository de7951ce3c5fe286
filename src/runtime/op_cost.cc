#include "runtime/op_cost.h"

#include <algorithm>
#include <initializer_list>
#include <limits>

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::Operator;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

int64_t Product(std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  bool saturated = false;
  for (const int64_t factor : factors) {
    if (factor <= 0) return 0;
    saturated |= __builtin_mul_overflow(product, factor, &product);
  }
  return saturated ? kMost : product;
}

int64_t Elements(const Shape& shape) {
  int64_t product = 1;
  for (const int32_t d : shape.dims()) product = Product({product, d});
  return product;
}

int64_t Dim(const Shape& shape, int i) { return i < shape.rank() ? shape[i] : 0; }

// Elements of the operands at these positions, those that are there.
int64_t Elements(std::span<const Shape> inputs, std::initializer_list<size_t> positions) {
  int64_t sum = 0;
  for (const size_t i : positions) {
    if (i < inputs.size() && inputs[i].rank() > 0) sum = AddCounts(sum, Elements(inputs[i]));
  }
  return sum;
}

bool IsTrue(const Operator& op, std::string_view option) {
  const graph::AttributeValue* value = op.attributes.Find(option);
  const auto* number = value == nullptr ? nullptr : std::get_if<int64_t>(value);
  return number != nullptr && *number != 0;
}

// Recurrent ops: every weight matrix multiplies a vector in every step of every sequence.
int64_t RecurrentMacs(const Operator& op, std::span<const Shape> inputs) {
  const Shape& x = inputs[0];
  const int64_t batches = Dim(x, 0), steps = Product({Dim(x, 0), Dim(x, 1)});
  switch (op.code) {
    case BuiltinOp::kRnn:
    case BuiltinOp::kSvdf:
      return Product({batches, Elements(inputs, {1, 2})});
    case BuiltinOp::kUnidirectionalSequenceRnn:
      return Product({steps, Elements(inputs, {1, 2})});
    case BuiltinOp::kBidirectionalSequenceRnn:
      return Product({steps, Elements(inputs, {1, 2, 5, 6, 10, 11})});
    case BuiltinOp::kLstm:
      // The basic kernel's five operands: input, state, all weights as one matrix, bias, cell state.
      if (inputs.size() == 5) return Product({batches, Elements(inputs, {2})});
      return Product({batches, Elements(inputs, {1, 2, 3, 4, 5, 6, 7, 8, 16})});
    case BuiltinOp::kUnidirectionalSequenceLstm:
      return Product({steps, Elements(inputs, {1, 2, 3, 4, 5, 6, 7, 8, 16})});
    case BuiltinOp::kBidirectionalSequenceLstm:
      return Product({steps, Elements(inputs, {1,  2,  3,  4,  5,  6,  7,  8,  16, 18, 19, 20, 21,
                                               22, 23, 24, 25, 33, 40, 41, 42, 43, 44, 45, 46, 47})});
    default:
      return 0;
  }
}

}  // namespace

int64_t AddCounts(int64_t a, int64_t b) { return a > kMost - b ? kMost : a + b; }

bool HasMacs(BuiltinOp op) {
  switch (op) {
    case BuiltinOp::kConv2D:
    case BuiltinOp::kDepthwiseConv2D:
    case BuiltinOp::kTransposeConv:
    case BuiltinOp::kConv3D:
    case BuiltinOp::kConv3DTranspose:
    case BuiltinOp::kFullyConnected:
    case BuiltinOp::kBatchMatmul:
    case BuiltinOp::kRnn:
    case BuiltinOp::kSvdf:
    case BuiltinOp::kUnidirectionalSequenceRnn:
    case BuiltinOp::kBidirectionalSequenceRnn:
    case BuiltinOp::kLstm:
    case BuiltinOp::kUnidirectionalSequenceLstm:
    case BuiltinOp::kBidirectionalSequenceLstm:
      return true;
    default:
      return false;
  }
}

int64_t CountMacs(const Operator& op, std::span<const Shape> inputs, std::span<const Shape> outputs) {
  if (!HasMacs(op.code) || inputs.size() < 2 || outputs.empty()) return 0;
  const Shape &x = inputs[0], &w = inputs[1], &y = outputs[0];
  switch (op.code) {
    case BuiltinOp::kConv2D:  // weights [out, height, width, in of the group]
      return Product({Elements(y), Dim(w, 1), Dim(w, 2), Dim(w, 3)});
    case BuiltinOp::kDepthwiseConv2D:  // weights [1, height, width, out]
      return Product({Elements(y), Dim(w, 1), Dim(w, 2)});
    case BuiltinOp::kConv3D:  // weights [depth, height, width, in, out]
      return Product({Elements(y), Dim(w, 0), Dim(w, 1), Dim(w, 2), Dim(w, 3)});
    // Every input value is spread over a window of the output. Operands: output shape, weights, input.
    case BuiltinOp::kTransposeConv:  // weights [out, height, width, in]
      return inputs.size() < 3 ? 0 : Product({Elements(inputs[2]), Dim(w, 0), Dim(w, 1), Dim(w, 2)});
    case BuiltinOp::kConv3DTranspose:  // weights [depth, height, width, out, in]
      return inputs.size() < 3 ? 0 : Product({Elements(inputs[2]), Dim(w, 0), Dim(w, 1), Dim(w, 2), Dim(w, 3)});
    case BuiltinOp::kFullyConnected:  // weights [out, in]
      return Product({Elements(y), Dim(w, 1)});
    case BuiltinOp::kBatchMatmul:
      return x.rank() < 2 ? 0 : Product({Elements(y), x.FromEnd(IsTrue(op, "adj_x") ? 2 : 1)});
    default:
      return RecurrentMacs(op, inputs);
  }
}

}  // namespace assay::runtime
