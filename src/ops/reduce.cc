// MEAN and SUM (float32, int8, uint8, int16, int32, int64), REDUCE_MAX, REDUCE_MIN and REDUCE_PROD (the same),
// REDUCE_ANY and REDUCE_ALL (bool). The axes may be given in any order, counted from either end, and more than once.
#include "graph/ops/reduce.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "kernels/ref/reduce.h"
#include "kernels/simd/reduce.h"
#include "kernels/simd/target.h"
#include "ops/checks.h"
#include "ops/ops.h"
#include "ops/xnnpack_checks.h"

namespace assay::ops {
namespace {

using kernels::ref::CodeSumStage;
using kernels::ref::ReduceGeometry;
using kernels::ref::ReduceKind;
using numerics::Engine;

struct Reduction {
  ReduceGeometry g;
  bool keep_dims = false;
  bool is_pixel_mean = false;  // the form that the optimised kernels know: 4-D, axes {1, 2}, keep_dims
  bool all_reduced = false;
};

Reduction PrepareReduction(PrepareContext& context) {
  CheckArity(context, 2, 2, 1);
  const TensorRef &input = context.Input(0), &axes = context.Input(1);
  CheckSameType(input, "input", context.Output(0), "output");
  CheckType(axes, "axes", {DType::kInt32});
  CheckRank(axes, "axes", 0, 1);
  CheckRank(input, "input", 0, kernels::ref::kMaxReduceRank);
  Reduction r;
  r.keep_dims = context.op().attributes.As<graph::ReducerAttributes>().keep_dims;
  ReduceGeometry& g = r.g;
  g.rank = input.shape.rank();
  const std::span<const int32_t> list = context.Values<int32_t>(1);
  for (const int32_t axis : list) {
    if (g.rank > 0) g.reduced[NormalizeAxis(axis, g.rank, "axis")] = true;
  }
  std::vector<int32_t> dims;
  for (int d = 0; d < g.rank; ++d) {
    g.dims[d] = input.shape[d];
    g.input_size *= g.dims[d];
    if (g.reduced[d]) {
      g.count *= g.dims[d];
      if (r.keep_dims) dims.push_back(1);
    } else {
      g.output_size *= g.dims[d];
      dims.push_back(g.dims[d]);
    }
  }
  r.is_pixel_mean = g.rank == 4 && r.keep_dims && !g.reduced[0] && g.reduced[1] && g.reduced[2] && !g.reduced[3];
  r.all_reduced = std::all_of(g.reduced, g.reduced + g.rank, [](bool reduced) { return reduced; });
  context.SetOutputShape(0, Shape(std::move(dims)));
  return r;
}

void CheckCodes(const PrepareContext& context) {
  const bool symmetric = context.Input(0).dtype == DType::kInt16;
  CheckPerTensorQuantized(context.Input(0), "input", symmetric);
  CheckPerTensorQuantized(context.Output(0), "output", symmetric);
}

// MAX, MIN and the plain sums and products: codes are taken as they are.
void CheckSameCodes(const TensorRef& input, const TensorRef& output) {
  const Quantization &a = input.quantization(), &b = output.quantization();
  if (!a.is_quantized() && !b.is_quantized()) return;
  CheckPerTensorQuantized(input, "input");
  CheckPerTensorQuantized(output, "output");
  if (input.scale() != output.scale() || input.zero_point() != output.zero_point()) {
    throw InputError("input has scale {} and zero point {}, the output {} and {}; they must be the same", input.scale(),
                     input.zero_point(), output.scale(), output.zero_point());
  }
}

// A reduction over neighbouring dimensions before the last: `outer` times `rows` rows of `channels` into one.
struct RowSums {
  size_t outer = 1, rows = 1, channels = 1;
};
std::optional<RowSums> FindRowSums(const ReduceGeometry& g) {
  if (g.input_size == 0) return std::nullopt;
  RowSums s;
  int d = 0;
  for (; d < g.rank && !g.reduced[d]; ++d) s.outer *= static_cast<size_t>(g.dims[d]);
  for (; d < g.rank && g.reduced[d]; ++d) s.rows *= static_cast<size_t>(g.dims[d]);
  for (; d < g.rank && !g.reduced[d]; ++d) s.channels *= static_cast<size_t>(g.dims[d]);
  return d < g.rank ? std::nullopt : std::optional(s);
}
// The same where vector kernels serve.
std::optional<RowSums> AsRowSums(const ReduceGeometry& g) {
  constexpr size_t kLeastChannels = 8;
  const std::optional<RowSums> s = FindRowSums(g);
  return kernels::simd::UsesVectors() && s && s->channels >= kLeastChannels ? s : std::nullopt;
}

// The sums in the order of kernels/ref.
template <typename T, typename Sum>
void SumByRows(const RowSums& s, const T* input, Sum* sums) {
  std::fill_n(sums, s.outer * s.channels, Sum{0});
  for (size_t o = 0; o < s.outer; ++o) {
    kernels::simd::AddRows(input + o * s.rows * s.channels, s.rows, s.channels, sums + o * s.channels);
  }
}

uint64_t BytesFor(int64_t count, size_t size) { return static_cast<uint64_t>(count) * size; }

template <typename T>
T* ScratchOf(const RunContext& run, int id) {
  return reinterpret_cast<T*>(run.Scratch(id).data());
}

CodeSumStage MeanStage(const PrepareContext& context, const Reduction& r) {
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const float si = input.scale(), so = output.scale();
  const int32_t zi = input.zero_point(), zo = output.zero_point();
  const auto count = static_cast<uint64_t>(std::max<int64_t>(r.g.count, 1));
  CodeSumStage stage;
  stage.output_zero_point = zo;
  if (context.engine() == Engine::kXnnpack) {
    stage.rule = CodeSumStage::Rule::kHalfEven;
    stage.real_scale = si / so * (1.0F / static_cast<float>(count));
    stage.real_bias = static_cast<float>(zo) - static_cast<float>(static_cast<int64_t>(count) * zi) * stage.real_scale;
    return stage;
  }
  if (context.engine() == Engine::kBuiltin && r.is_pixel_mean && input.dtype != DType::kInt16) {
    stage.rule = CodeSumStage::Rule::kFixedRaw;
    const float shift = static_cast<float>(zi) * si / so;
    stage.bias = static_cast<int32_t>(
        zo - static_cast<int64_t>(std::clamp(shift > 0 ? shift + 0.5F : shift - 0.5F, -1e9F, 1e9F)));
    stage.scale = numerics::ToFixedPoint(static_cast<double>(si / (static_cast<float>(count) * so)));
    stage.channels = std::max(r.g.dims[3], 1);
    return stage;
  }
  stage.rule = CodeSumStage::Rule::kFixed;
  stage.scale = numerics::ToFixedPoint(static_cast<double>(si) / static_cast<double>(so));
  const int shift = std::min({static_cast<int>(std::bit_width(count)) - 1, 32, 31 + stage.scale.shift});
  stage.scale.multiplier =
      static_cast<int32_t>((int64_t{stage.scale.multiplier} << shift) / static_cast<int64_t>(count));
  stage.scale.shift -= shift;
  stage.input_zero_total = static_cast<int32_t>(static_cast<uint32_t>(count) * static_cast<uint32_t>(zi));
  return stage;
}

CodeSumStage SumStage(const PrepareContext& context, const Reduction& r) {
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const float si = input.scale(), so = output.scale();
  const int32_t zi = input.zero_point(), zo = output.zero_point();
  CodeSumStage stage;
  stage.output_zero_point = zo;
  stage.real_scale = si / so;
  if (context.engine() == Engine::kXnnpack) {
    stage.rule = CodeSumStage::Rule::kHalfEven;
    stage.real_bias = static_cast<float>(zo) - static_cast<float>(r.g.count * zi) * stage.real_scale;
  } else if (context.engine() == Engine::kBuiltin) {
    stage.rule = CodeSumStage::Rule::kFloatAfter;
    stage.real_bias = static_cast<float>(-zi) * stage.real_scale * static_cast<float>(r.g.count);
  } else {
    stage.rule = CodeSumStage::Rule::kFixed;
    stage.scale = numerics::ToFixedPoint(static_cast<double>(si) / static_cast<double>(so));
    stage.input_zero_total = static_cast<int32_t>(static_cast<uint32_t>(r.g.count) * static_cast<uint32_t>(zi));
  }
  return stage;
}

// Codes are read and written as T, which is not the tensor's type in one case (PrepareSum).
template <typename T>
RunFn RunCodeSums(PrepareContext& context, const Reduction& r, const CodeSumStage& stage) {
  const int sums = context.AddScratch(BytesFor(r.g.output_size, sizeof(int32_t)));
  return [g = r.g, stage, sums, by_rows = AsRowSums(r.g)](const RunContext& run) {
    T* output = reinterpret_cast<T*>(run.Output(0).data);
    if (g.input_size == 0) {
      std::fill_n(output, g.output_size, T{0});
      return;
    }
    const T* input = reinterpret_cast<const T*>(run.Input(0).data);
    by_rows ? SumByRows(*by_rows, input, ScratchOf<int32_t>(run, sums))
            : kernels::ref::SumCodes<T>(g, input, ScratchOf<int32_t>(run, sums));
    kernels::ref::FinishCodeSums<T>(stage, g.output_size, ScratchOf<int32_t>(run, sums), output);
  };
}

template <typename T>
RunFn RunMeanInteger(PrepareContext& context, const Reduction& r) {
  const int sums = context.AddScratch(BytesFor(r.g.output_size, sizeof(int64_t)));
  return [g = r.g, sums](const RunContext& run) {
    kernels::ref::MeanInteger<T>(g, run.In<T>(0).data(), ScratchOf<int64_t>(run, sums), run.Out<T>(0).data());
  };
}

// XNNPACK's: rows of channels one after the other, times 1 / count; of neighbouring values, which it adds in an order
// of its own, the exact sum is the nearest.
RunFn RunSumXnnpack(PrepareContext& context, const Reduction& r, bool mean) {
  if (const auto rows = FindRowSums(r.g); rows && rows->channels > 1) {
    return [g = r.g, mean, by_rows = AsRowSums(r.g)](const RunContext& run) {
      const float* input = run.In<float>(0).data();
      const std::span<float> output = run.Out<float>(0);
      if (by_rows) {
        SumByRows(*by_rows, input, output.data());
      } else {
        kernels::ref::SumFloat(g, input, output.data());
      }
      const float factor = mean ? 1.0F / static_cast<float>(g.count) : 1.0F;
      for (float& y : output) y *= factor;
    };
  }
  const int sums = context.AddScratch(BytesFor(r.g.output_size, sizeof(double)));
  return [g = r.g, mean, sums](const RunContext& run) {
    kernels::ref::SumFloatWide(g, mean, run.In<float>(0).data(), ScratchOf<double>(run, sums),
                               run.Out<float>(0).data());
  };
}

template <typename T>
RunFn RunReduce(const Reduction& r, ReduceKind kind, bool from_first) {
  return [g = r.g, kind, from_first](const RunContext& run) {
    kernels::ref::Reduce<T>(g, kind, from_first, run.In<T>(0).data(), run.Out<T>(0).data());
  };
}

RunFn PreparePlain(PrepareContext& context, const Reduction& r, ReduceKind kind) {
  const bool from_first = context.engine() != Engine::kReference || r.all_reduced;
  switch (context.Input(0).dtype) {
    case DType::kFloat32:
      return RunReduce<float>(r, kind, from_first);
    case DType::kInt8:
      return RunReduce<int8_t>(r, kind, from_first);
    case DType::kUInt8:
      return RunReduce<uint8_t>(r, kind, from_first);
    case DType::kInt16:
      return RunReduce<int16_t>(r, kind, from_first);
    case DType::kInt32:
      return RunReduce<int32_t>(r, kind, from_first);
    case DType::kInt64:
      return RunReduce<int64_t>(r, kind, from_first);
    default:
      UnsupportedTypes(context);
  }
}

template <ReduceKind kind>
RunFn PrepareExtreme(PrepareContext& context) {
  const Reduction r = PrepareReduction(context);
  CheckSameCodes(context.Input(0), context.Output(0));
  return PreparePlain(context, r, kind);
}

template <typename T>
RunFn PrepareProdCodes(PrepareContext& context, const Reduction& r) {
  CheckCodes(context);
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  bool any = false;
  for (int d = 0; d < r.g.rank; ++d) any |= r.g.reduced[d] && r.g.dims[d] != 1;
  // The optimised kernel takes a product of nothing for a copy of the codes.
  if (context.engine() != Engine::kReference && !any) return RunReduce<T>(r, ReduceKind::kProd, true);
  const auto count = static_cast<double>(std::max<int64_t>(r.g.count, 1));
  const double scale = static_cast<double>(input.scale()) / std::pow(static_cast<double>(output.scale()), 1.0 / count);
  const int products = context.AddScratch(BytesFor(r.g.output_size, sizeof(int32_t)));
  return [g = r.g, fixed = numerics::ToFixedPoint(scale), zi = input.zero_point(), zo = output.zero_point(),
          products](const RunContext& run) {
    kernels::ref::ProdCodes<T>(g, fixed, zi, zo, run.In<T>(0).data(), ScratchOf<int32_t>(run, products),
                               run.Out<T>(0).data());
  };
}

template <bool all>
RunFn PrepareBool(PrepareContext& context) {
  const Reduction r = PrepareReduction(context);
  CheckType(context.Input(0), "input", {DType::kBool});
  return [g = r.g](const RunContext& run) { kernels::ref::ReduceBool(g, all, run.Input(0).data, run.Output(0).data); };
}

}  // namespace

RunFn PrepareMean(PrepareContext& context) {
  const Reduction r = PrepareReduction(context);
  switch (context.Input(0).dtype) {
    case DType::kFloat32:
      if (context.engine() == Engine::kXnnpack && r.g.input_size > 0) return RunSumXnnpack(context, r, true);
      return [g = r.g, by_rows = AsRowSums(r.g)](const RunContext& run) {
        if (by_rows) {
          SumByRows(*by_rows, run.In<float>(0).data(), run.Out<float>(0).data());
          for (float& y : run.Out<float>(0)) y /= static_cast<float>(g.count);
          return;
        }
        kernels::ref::MeanFloat(g, run.In<float>(0).data(), run.Out<float>(0).data());
      };
    case DType::kInt32:
      return RunMeanInteger<int32_t>(context, r);
    case DType::kInt64:
      return RunMeanInteger<int64_t>(context, r);
    case DType::kInt8:
      CheckCodes(context);
      return RunCodeSums<int8_t>(context, r, MeanStage(context, r));
    case DType::kUInt8:
      CheckCodes(context);
      return RunCodeSums<uint8_t>(context, r, MeanStage(context, r));
    case DType::kInt16:
      CheckCodes(context);
      return RunCodeSums<int16_t>(context, r, MeanStage(context, r));
    default:
      UnsupportedTypes(context);
  }
}

RunFn PrepareSum(PrepareContext& context) {
  const Reduction r = PrepareReduction(context);
  switch (context.Input(0).dtype) {
    case DType::kFloat32:
      if (context.engine() == Engine::kXnnpack) return RunSumXnnpack(context, r, false);
      return PreparePlain(context, r, ReduceKind::kSum);
    case DType::kUInt8:
      CheckCodes(context);
      return RunCodeSums<uint8_t>(context, r, SumStage(context, r));
    case DType::kInt8:
      CheckCodes(context);
      // The reference kernel takes the bytes of int8 for uint8, and so does whoever reproduces it.
      if (context.engine() == Engine::kReference) return RunCodeSums<uint8_t>(context, r, SumStage(context, r));
      return RunCodeSums<int8_t>(context, r, SumStage(context, r));
    case DType::kInt16:
      CheckCodes(context);
      return RunCodeSums<int16_t>(context, r, SumStage(context, r));
    default:
      return PreparePlain(context, r, ReduceKind::kSum);
  }
}

RunFn PrepareReduceProd(PrepareContext& context) {
  const Reduction r = PrepareReduction(context);
  const TensorRef& input = context.Input(0);
  if (input.quantization().is_quantized()) {
    if (input.dtype == DType::kInt8) return PrepareProdCodes<int8_t>(context, r);
    if (input.dtype == DType::kInt16) return PrepareProdCodes<int16_t>(context, r);
    CheckSameCodes(input, context.Output(0));
  }
  return PreparePlain(context, r, ReduceKind::kProd);
}

RunFn PrepareReduceMax(PrepareContext& context) { return PrepareExtreme<ReduceKind::kMax>(context); }
RunFn PrepareReduceMin(PrepareContext& context) { return PrepareExtreme<ReduceKind::kMin>(context); }
RunFn PrepareReduceAny(PrepareContext& context) { return PrepareBool<false>(context); }
RunFn PrepareReduceAll(PrepareContext& context) { return PrepareBool<true>(context); }

bool XnnpackTakesReduce(const PrepareContext& context) {
  if (context.num_inputs() != 2 || context.num_outputs() != 1) return false;
  const TensorRef& axes = context.Input(1);
  return XnnpackTakesFloatOrQuantized8(context.Input(0)) && XnnpackTakesFloatOrQuantized8(context.Output(0)) &&
         axes.dtype == DType::kInt32 && axes.is_constant && axes.shape.rank() <= 1;
}

}  // namespace assay::ops
