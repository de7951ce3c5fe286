// RANGE: start, start + delta, ... up to limit.
#include <cmath>
#include <limits>
#include <type_traits>

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

void CheckDirection(bool is_zero, bool fits) {
  if (is_zero) throw InputError("delta is 0");
  if (!fits) throw InputError("delta leads away from limit, or a value is not a number");
}

template <typename T>
int64_t CountSteps(T start, T limit, T delta) {
  CheckDirection(delta == 0, (start <= limit && delta > 0) || (start >= limit && delta < 0));
  if constexpr (std::is_integral_v<T>) {
    const auto low = static_cast<uint64_t>(std::min(start, limit)),
               high = static_cast<uint64_t>(std::max(start, limit));
    const uint64_t distance = high - low;
    const uint64_t step = delta < 0 ? 0 - static_cast<uint64_t>(delta) : static_cast<uint64_t>(delta);
    const uint64_t steps = distance / step + (distance % step != 0 ? 1 : 0);
    if (steps > std::numeric_limits<int32_t>::max()) throw InputError("the range has {} values", steps);
    return static_cast<int64_t>(steps);
  } else {
    const T steps = std::ceil(std::abs((limit - start) / delta));
    constexpr T kLimit = 2147483648;  // 2^31
    if (!(steps < kLimit)) throw InputError("the range has {} values", steps);
    return static_cast<int64_t>(steps);
  }
}

template <typename T>
RunFn PrepareRangeOf(PrepareContext& context) {
  const T start = context.Values<T>(0)[0], limit = context.Values<T>(1)[0], delta = context.Values<T>(2)[0];
  context.SetOutputShape(0, {static_cast<int32_t>(CountSteps(start, limit, delta))});
  return [start, delta](const RunContext& run) {
    T value = start;
    for (T& x : run.Out<T>(0)) {
      x = value;
      if constexpr (std::is_integral_v<T>) {
        value = static_cast<T>(static_cast<uint64_t>(value) + static_cast<uint64_t>(delta));
      } else {
        value += delta;
      }
    }
  };
}

}  // namespace

RunFn PrepareRange(PrepareContext& context) {
  CheckArity(context, 3, 3, 1);
  const TensorRef& start = context.Input(0);
  constexpr const char* kNames[] = {"start", "limit", "delta"};
  for (int i = 0; i < 3; ++i) {
    CheckSameType(start, "start", context.Input(i), kNames[i]);
    if (context.Input(i).size() != 1) {
      throw InputError("{} has the shape {}, expected a scalar", kNames[i], context.Input(i).shape.ToString());
    }
  }
  CheckSameType(start, "start", context.Output(0), "output");
  switch (start.dtype) {
    case DType::kFloat32:
      return PrepareRangeOf<float>(context);
    case DType::kInt32:
      return PrepareRangeOf<int32_t>(context);
    case DType::kInt64:
      return PrepareRangeOf<int64_t>(context);
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace assay::ops
