// SOFTMAX: float32, int8, uint8 (to the same type or int16), int16. LOG_SOFTMAX: float32, int8, uint8.
#include "kernels/ref/softmax.h"

#include <algorithm>
#include <cmath>

#include "graph/ops/activations.h"
#include "kernels/simd/activations.h"
#include "kernels/simd/target.h"
#include "ops/delegation.h"
#include "ops/elementwise.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::Rows;
using kernels::ref::SoftmaxFixedPoint;
using kernels::ref::SoftmaxInt16Tables;
using kernels::ref::SoftmaxTable;
using numerics::Engine;

Rows RowsOf(const TensorRef& input) {
  if (input.shape.rank() < 1) throw InputError("input is a scalar, expected rank 1 or more");
  Rows rows;
  rows.depth = input.shape.FromEnd(1);
  rows.count = rows.depth == 0 ? 0 : input.size() / rows.depth;
  return rows;
}

// TFLite's PreprocessSoftmaxScaling and CalculateInputRadius, 5 integer bits.
SoftmaxFixedPoint MakeFixedPoint(float beta, float input_scale) {
  const double real = std::min(static_cast<double>(beta) * static_cast<double>(input_scale) * (1 << 26), 2147483647.0);
  if (!(real > 1)) throw InputError("input's scale {} times beta {} is too small", input_scale, beta);
  SoftmaxFixedPoint p;
  p.scale = numerics::ToFixedPoint(real);
  // ToFixedPoint saturates beyond 2^30; here a shift of 31 is what TFLite takes.
  if (real >= 1073741824.0) p.scale = {static_cast<int32_t>(std::floor(real + 0.5)), 31};
  p.least_difference = -static_cast<int32_t>(std::floor(std::ldexp(31.0 * (1 << 26), -p.scale.shift)));
  p.inverse_scale =
      FixedPointOf(std::ldexp(1.0, 31 - p.scale.shift) / static_cast<double>(p.scale.multiplier), "scale of the input");
  kernels::ref::FillExps(p);
  return p;
}

SoftmaxTable MakeTable(float beta, const TensorRef& input, const TensorRef& output) {
  SoftmaxTable p;
  p.input_scale = input.scale(), p.output_scale = output.scale(), p.output_zero_point = output.zero_point();
  const float scale = -input.scale() * beta;
  for (size_t i = 0; i < p.exp_of_difference.size(); ++i) {
    p.exp_of_difference[i] = std::exp(scale * static_cast<float>(i));
  }
  return p;
}

void CheckScaleNear(const TensorRef& output, float expected) {
  if (!(std::abs(output.scale() - expected) <= 0.001F * expected)) {
    throw InputError("output has the scale {}, expected {}", output.scale(), expected);
  }
}

void CheckZeroPoint(const TensorRef& output, int32_t expected) {
  if (output.zero_point() != expected) {
    throw InputError("output has the zero point {}, expected {}", output.zero_point(), expected);
  }
}

template <typename In, typename Out>
RunFn SoftmaxCodes(const PrepareContext& context, float beta) {
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const Rows rows = RowsOf(input);
  CheckPerTensorQuantized(input, "input");
  CheckPerTensorQuantized(output, "output");
  if (std::is_same_v<Out, int8_t>) {
    CheckZeroPoint(output, -128);
    CheckScaleNear(output, 1.0F / 256);
  }
  if (context.engine() == Engine::kReference) {
    return [rows, p = MakeFixedPoint(beta, input.scale())](const RunContext& run) {
      kernels::ref::SoftmaxQuantizedFixedPoint(rows, p, run.In<In>(0).data(), run.Out<Out>(0).data());
    };
  }
  return [rows, p = MakeTable(beta, input, output)](const RunContext& run) {
    kernels::ref::SoftmaxQuantizedTable(rows, p, run.In<In>(0).data(), run.Out<Out>(0).data());
  };
}

RunFn SoftmaxWide(const PrepareContext& context, float beta) {
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const Rows rows = RowsOf(input);
  CheckPerTensorQuantized(input, "input", /*symmetric=*/true);
  CheckPerTensorQuantized(output, "output", /*symmetric=*/true);
  CheckScaleNear(output, 1.0F / 32768);
  SoftmaxInt16Tables p;
  p.scale = FixedPointOf(static_cast<double>(input.scale() * beta) / (10.0 / 65535.0), "scale of the input times beta");
  p.exp = numerics::MakeTable16<double>(10.0 / 65535, 32767, 2.0 / 65535, 0, [](double x) { return std::exp(x); });
  p.one_over_one_plus =
      numerics::MakeTable16<double>(1.0 / 65535, -32768, 2.0 / 65535, 0, [](double x) { return 1 / (1 + x); });
  return [rows, p](const RunContext& run) {
    kernels::ref::SoftmaxInt16(rows, p, run.In<int16_t>(0).data(), run.Out<int16_t>(0).data());
  };
}

template <typename T>
RunFn LogSoftmaxCodes(const PrepareContext& context) {
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const Rows rows = RowsOf(input);
  CheckPerTensorQuantized(input, "input");
  CheckPerTensorQuantized(output, "output");
  CheckZeroPoint(output, std::numeric_limits<T>::max());
  if (output.scale() != 16.0F / 256) throw InputError("output has the scale {}, expected 1/16", output.scale());
  if (context.engine() == Engine::kReference) {
    return [rows, p = MakeFixedPoint(1, input.scale())](const RunContext& run) {
      kernels::ref::LogSoftmaxQuantizedFixedPoint(rows, p, run.In<T>(0).data(), run.Out<T>(0).data());
    };
  }
  return [rows, p = MakeTable(1, input, output)](const RunContext& run) {
    kernels::ref::LogSoftmaxQuantizedTable(rows, p, run.In<T>(0).data(), run.Out<T>(0).data());
  };
}

RunFn SoftmaxVectors(const PrepareContext& context, float beta) {
  return [rows = RowsOf(context.Input(0)), beta](const RunContext& run) {
    const float* x = run.In<float>(0).data();
    float* y = run.Out<float>(0).data();
    const auto depth = static_cast<size_t>(rows.depth);
    run.pool().Run(static_cast<size_t>(rows.count), GrainOf(static_cast<double>(depth)),
                   [&](size_t begin, size_t end, int) {
                     for (size_t r = begin; r < end; ++r) {
                       kernels::simd::SoftmaxFloats(x + r * depth, y + r * depth, depth, beta);
                     }
                   });
  };
}

}  // namespace

RunFn PrepareSoftmax(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const float beta = context.op().attributes.As<graph::SoftmaxAttributes>().beta;
  if (!std::isfinite(beta)) throw InputError("beta is {}", beta);
  context.SetOutputShape(0, input.shape);
  const bool wide_output = output.dtype == DType::kInt16;
  switch (input.dtype) {
    case DType::kFloat32:
      CheckType(output, "output", {DType::kFloat32});
      if (kernels::simd::UsesVectors() && context.engine() != Engine::kReference) return SoftmaxVectors(context, beta);
      return [rows = RowsOf(input), beta, in_float = context.engine() == Engine::kReference](const RunContext& run) {
        kernels::ref::SoftmaxFloat(rows, beta, in_float, run.In<float>(0).data(), run.Out<float>(0).data());
      };
    case DType::kInt8:
      CheckType(output, "output", {DType::kInt8, DType::kInt16});
      return wide_output ? SoftmaxCodes<int8_t, int16_t>(context, beta) : SoftmaxCodes<int8_t, int8_t>(context, beta);
    case DType::kUInt8:
      CheckType(output, "output", {DType::kUInt8, DType::kInt16});
      return wide_output ? SoftmaxCodes<uint8_t, int16_t>(context, beta)
                         : SoftmaxCodes<uint8_t, uint8_t>(context, beta);
    case DType::kInt16:
      CheckType(output, "output", {DType::kInt16});
      return SoftmaxWide(context, beta);
    default:
      UnsupportedTypes(context);
  }
}

bool XnnpackTakesSoftmax(const PrepareContext& context) {
  return XnnpackTakesFloatUnary(context) && context.op().attributes.As<graph::SoftmaxAttributes>().beta == 1.0F;
}

RunFn PrepareLogSoftmax(PrepareContext& context) {
  const UnaryOperands o = PrepareUnary(context, /*in_place=*/false);
  switch (o.input.dtype) {
    case DType::kFloat32:
      return [rows = RowsOf(o.input), in_float = context.engine() == Engine::kReference](const RunContext& run) {
        kernels::ref::LogSoftmaxFloat(rows, in_float, run.In<float>(0).data(), run.Out<float>(0).data());
      };
    case DType::kInt8:
      return LogSoftmaxCodes<int8_t>(context);
    case DType::kUInt8:
      return LogSoftmaxCodes<uint8_t>(context);
    default:
      UnsupportedTypes(context);
  }
}

}  // namespace assay::ops
