// MATRIX_DIAG puts the last dimension on the diagonal of a matrix of zeros, MATRIX_SET_DIAG on that of the input.
#include <algorithm>
#include <array>

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

// From [matrices, length] to the diagonals of [matrices, rows, columns].
kernels::ref::StridedCopy DiagonalCopy(int64_t matrices, int64_t length, int64_t rows, int64_t columns) {
  const CopyAxis axes[] = {{matrices, length, rows * columns}, {length, 1, columns + 1}};
  return PlanCopy(axes);
}

}  // namespace

RunFn PrepareMatrixDiag(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 1, kMaxMovedRank - 1);
  const int32_t length = input.shape.FromEnd(1);
  std::vector<int32_t> dims(input.shape.dims().begin(), input.shape.dims().end());
  dims.push_back(length);
  const Shape shape{std::move(dims)};
  context.SetOutputShape(0, shape);
  const auto copy = DiagonalCopy(Product(shape, 0, shape.rank() - 2), length, length, length);
  return [bits, copy, count = shape.NumElements()](const RunContext& run) {
    constexpr std::array<uint8_t, 16> kZero = {};
    kernels::ref::FillElements(bits, kZero.data(), count, RawOutput(run, 0));
    CopyPlanned(run, copy, bits);
  };
}

RunFn PrepareMatrixSetDiag(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &input = context.Input(0), &diagonal = context.Input(1);
  const int bits = MovedBits(context, input, "input");
  CheckSameType(input, "input", diagonal, "diagonal");
  CheckRank(input, "input", 2, kMaxMovedRank);
  const int rank = input.shape.rank();
  const int32_t rows = input.shape[rank - 2], columns = input.shape[rank - 1], length = std::min(rows, columns);
  std::vector<int32_t> dims(input.shape.dims().begin(), input.shape.dims().end() - 2);
  dims.push_back(length);
  if (diagonal.shape != Shape(dims)) {
    throw InputError("diagonal has the shape {}, expected {}", diagonal.shape.ToString(), Shape(dims).ToString());
  }
  context.SetOutputShape(0, input.shape);
  const auto copy = DiagonalCopy(Product(input.shape, 0, rank - 2), length, rows, columns);
  return [bits, copy](const RunContext& run) {
    const TensorRef& from = run.Input(0);
    kernels::ref::CopyElements(8, from.data, 0, static_cast<int64_t>(from.bytes), RawOutput(run, 0), 0);
    CopyPlanned(run, copy, bits, 1);
  };
}

}  // namespace assay::ops
