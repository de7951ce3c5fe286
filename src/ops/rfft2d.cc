// RFFT2D, and what reads its result: REAL, IMAG, COMPLEX_ABS.
#include "kernels/ref/rfft2d.h"

#include <cmath>

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

// Every complex element of the input, as two reals, becomes one real.
template <typename Real, typename Function>
RunFn ForEachComplex(int64_t count, const Function& function) {
  return [count, function](const RunContext& run) {
    const auto* x = reinterpret_cast<const Real*>(run.Input(0).data);
    Real* y = run.Out<Real>(0).data();
    for (int64_t i = 0; i < count; ++i) y[i] = function(x[2 * i], x[2 * i + 1]);
  };
}

template <typename Function>
RunFn PrepareComplex(PrepareContext& context, const Function& function) {
  CheckArity(context, 1, 1, 1);
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const bool is_double = input.dtype == DType::kComplex128;
  if ((!is_double && input.dtype != DType::kComplex64) ||
      output.dtype != (is_double ? DType::kFloat64 : DType::kFloat32)) {
    UnsupportedTypes(context);
  }
  context.SetOutputShape(0, input.shape);
  return is_double ? ForEachComplex<double>(input.size(), function) : ForEachComplex<float>(input.size(), function);
}

}  // namespace

RunFn PrepareRfft2d(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef& input = context.Input(0);
  CheckType(input, "input", {DType::kFloat32});
  CheckType(context.Output(0), "output", {DType::kComplex64});
  CheckType(context.Input(1), "fft_length", {DType::kInt32});
  CheckRank(input, "input", 2, kMaxMovedRank);
  if (context.Input(1).shape != Shape{2}) {
    throw InputError("fft_length has the shape {}, expected [2]", context.Input(1).shape.ToString());
  }
  const std::vector<int64_t> lengths = IntegerValues(context, 1, "fft_length");
  for (const int64_t length : lengths) {
    if (length < 1 || (length & (length - 1)) != 0) throw InputError("fft_length {} is no power of two", length);
  }
  const int rank = input.shape.rank();
  Shape shape = input.shape;
  shape[rank - 2] = static_cast<int32_t>(lengths[0]);
  shape[rank - 1] = static_cast<int32_t>(lengths[1] / 2 + 1);
  context.SetOutputShape(0, shape);
  const kernels::ref::Rfft2dGeometry g = {.images = Product(input.shape, 0, rank - 2),
                                          .input_height = input.shape[rank - 2],
                                          .input_width = input.shape[rank - 1],
                                          .height = lengths[0],
                                          .width = lengths[1]};
  const int scratch = context.AddScratch(static_cast<uint64_t>(kernels::ref::Rfft2dScratch(g)) * sizeof(double));
  return [g, scratch](const RunContext& run) {
    kernels::ref::Rfft2d(g, run.In<float>(0).data(), reinterpret_cast<double*>(run.Scratch(scratch).data()),
                         static_cast<float*>(RawOutput(run, 0)));
  };
}

RunFn PrepareReal(PrepareContext& context) {
  return PrepareComplex(context, [](auto re, auto) { return re; });
}

RunFn PrepareImag(PrepareContext& context) {
  return PrepareComplex(context, [](auto, auto im) { return im; });
}

RunFn PrepareComplexAbs(PrepareContext& context) {
  return PrepareComplex(context, [](auto re, auto im) { return std::hypot(re, im); });
}

}  // namespace assay::ops
