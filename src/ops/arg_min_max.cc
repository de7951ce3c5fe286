// ARG_MAX, ARG_MIN: float32, int8, uint8, int32, bool; indices int32 or int64.
#include "graph/ops/arg_min_max.h"

#include <type_traits>

#include "kernels/ref/arg_min_max.h"
#include "kernels/simd/arg_max.h"
#include "kernels/simd/target.h"
#include "ops/checks.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

struct ArgGeometry {
  int64_t outer = 1, inner = 1;
  int32_t size = 0;
};

template <typename T, typename Index>
RunFn RunArg(const ArgGeometry& g, bool largest) {
  const double ns = static_cast<double>(g.size) * static_cast<double>(g.inner);
  if constexpr (sizeof(T) == 1) {
    const auto size = static_cast<size_t>(g.size);
    if (g.inner == 1 && size >= kernels::simd::kLeastArgMaxRow && kernels::simd::UsesVectors()) {
      const auto flip = static_cast<uint8_t>((std::is_signed_v<T> ? 0x80 : 0) ^ (largest ? 0 : 0xFF));
      return [rows = static_cast<size_t>(g.outer), size, flip, ns](const RunContext& run) {
        const uint8_t* input = run.Input(0).data;
        Index* output = run.Out<Index>(0).data();
        run.pool().Run(rows, GrainOf(ns / 4), [&](size_t begin, size_t end, int) {
          kernels::simd::ArgMaxOfRows(input + begin * size, end - begin, size, flip, output + begin);
        });
      };
    }
  }
  return [g, largest, ns](const RunContext& run) {
    const auto* input = reinterpret_cast<const T*>(run.Input(0).data);
    Index* output = run.Out<Index>(0).data();
    run.pool().Run(static_cast<size_t>(g.outer), GrainOf(ns), [&](size_t begin, size_t end, int) {
      const auto first = static_cast<int64_t>(begin);
      kernels::ref::ArgMinMax(static_cast<int64_t>(end - begin), g.size, g.inner, largest,
                              input + first * g.size * g.inner, output + first * g.inner);
    });
  };
}

template <typename T>
RunFn RunArg(const PrepareContext& context, const ArgGeometry& g, bool largest) {
  return context.Output(0).dtype == DType::kInt32 ? RunArg<T, int32_t>(g, largest) : RunArg<T, int64_t>(g, largest);
}

RunFn PrepareArg(PrepareContext& context, bool largest) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &input = context.Input(0), &axis_tensor = context.Input(1), &output = context.Output(0);
  CheckType(axis_tensor, "axis", {DType::kInt32, DType::kInt64});
  CheckType(output, "output", {DType::kInt32, DType::kInt64});
  const auto a = context.op().attributes.As<graph::ArgMinMaxAttributes>();
  if (a.output_type != static_cast<int32_t>(output.dtype)) {
    throw InputError("option output_type is {}, the output is {}", a.output_type, DTypeName(output.dtype));
  }
  if (axis_tensor.size() != 1) throw InputError("axis has {} values, expected 1", axis_tensor.size());
  const int64_t given =
      axis_tensor.dtype == DType::kInt64 ? context.Values<int64_t>(1)[0] : int64_t{context.Values<int32_t>(1)[0]};
  const int axis = NormalizeAxis(given, input.shape.rank(), "axis");
  ArgGeometry g;
  std::vector<int32_t> dims;
  for (int d = 0; d < input.shape.rank(); ++d) {
    if (d == axis) {
      g.size = input.shape[d];
      continue;
    }
    (d < axis ? g.outer : g.inner) *= input.shape[d];
    dims.push_back(input.shape[d]);
  }
  if (g.size < 1) throw InputError("input {} is empty along axis {}", input.shape.ToString(), axis);
  context.SetOutputShape(0, Shape(std::move(dims)));
  switch (input.dtype) {
    case DType::kFloat32:
      return RunArg<float>(context, g, largest);
    case DType::kInt8:
      return RunArg<int8_t>(context, g, largest);
    case DType::kUInt8:
    case DType::kBool:
      return RunArg<uint8_t>(context, g, largest);
    case DType::kInt32:
      return RunArg<int32_t>(context, g, largest);
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace

RunFn PrepareArgMax(PrepareContext& context) { return PrepareArg(context, true); }
RunFn PrepareArgMin(PrepareContext& context) { return PrepareArg(context, false); }

}  // namespace assay::ops
