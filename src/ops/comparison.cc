// EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL: bool (the first two), float32, int16, int32, int64 and
// codes of int8, uint8 and (the first two) int16, compared by their real values.
#include <functional>

#include "ops/elementwise.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::ComparableCode;

ComparableCode Comparable(const TensorRef& tensor, const char* what) {
  CheckPerTensorQuantized(tensor, what);
  return {tensor.zero_point(), FixedPointOf(static_cast<double>(tensor.scale()), "scale")};
}

template <typename T, typename Compare>
RunFn RunComparison(const BinaryOperands& o, const Compare& compare) {
  return [plan = o.plan, compare](const RunContext& run) {
    kernels::ref::BinaryElementwise(plan, run.In<T>(0).data(), run.In<T>(1).data(), MutableBytes(run.Output(0)).data(),
                                    compare);
  };
}

template <typename T, typename Compare>
RunFn RunCodes(const BinaryOperands& o, const Compare& compare) {
  return RunComparison<T>(o, [a = Comparable(o.a, "input 0"), b = Comparable(o.b, "input 1"), compare](T x, T y) {
    return compare(a(x), b(y));
  });
}

template <typename Compare>
RunFn PrepareComparison(PrepareContext& context, bool equality, const Compare& compare) {
  const BinaryOperands o = PrepareBinary(context);
  CheckType(o.output, "output", {DType::kBool});
  switch (o.a.dtype) {
    case DType::kFloat32:
      return RunComparison<float>(o, compare);
    case DType::kInt32:
      return RunComparison<int32_t>(o, compare);
    case DType::kInt64:
      return RunComparison<int64_t>(o, compare);
    case DType::kInt8:
      return RunCodes<int8_t>(o, compare);
    case DType::kUInt8:
      return RunCodes<uint8_t>(o, compare);
    case DType::kInt16:
      return equality && o.a.quantization().is_quantized() ? RunCodes<int16_t>(o, compare)
                                                           : RunComparison<int16_t>(o, compare);
    case DType::kBool:
      if (!equality) UnsupportedTypes(context);
      return [plan = o.plan, compare](const RunContext& run) {
        kernels::ref::BinaryElementwise(plan, Bytes(run.Input(0)).data(), Bytes(run.Input(1)).data(),
                                        MutableBytes(run.Output(0)).data(),
                                        [&](uint8_t x, uint8_t y) { return compare(x != 0, y != 0); });
      };
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace

RunFn PrepareEqual(PrepareContext& context) {
  return PrepareComparison(context, /*equality=*/true, [](auto a, auto b) { return a == b; });
}
RunFn PrepareNotEqual(PrepareContext& context) {
  return PrepareComparison(context, /*equality=*/true, [](auto a, auto b) { return a != b; });
}
RunFn PrepareLess(PrepareContext& context) {
  return PrepareComparison(context, /*equality=*/false, [](auto a, auto b) { return a < b; });
}
RunFn PrepareLessEqual(PrepareContext& context) {
  return PrepareComparison(context, /*equality=*/false, [](auto a, auto b) { return a <= b; });
}
RunFn PrepareGreater(PrepareContext& context) {
  return PrepareComparison(context, /*equality=*/false, [](auto a, auto b) { return a > b; });
}
RunFn PrepareGreaterEqual(PrepareContext& context) {
  return PrepareComparison(context, /*equality=*/false, [](auto a, auto b) { return a >= b; });
}

}  // namespace assay::ops
