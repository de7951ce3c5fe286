// DEQUANTIZE: int8, uint8, int4, uint4, int2 (per tensor or per channel), int16, uint16 and float16 to float32.
#include "graph/model.h"
#include "kernels/ref/quantize.h"
#include "ops/delegation.h"
#include "ops/elementwise.h"
#include "ops/ops.h"
#include "tensor/float16.h"

namespace assay::ops {
namespace {

using kernels::ref::Dequantizer;
using numerics::Engine;

constexpr size_t kBlock = 8;

// Reads element i of a tensor of integers of any width, sub-byte ones packed from the low bits up.
class CodeReader {
 public:
  CodeReader(const TensorRef& tensor, DType dtype) : data_(tensor.data), dtype_(dtype) {}
  int32_t operator()(size_t i) const {
    switch (dtype_) {
      case DType::kInt8:
        return static_cast<int8_t>(data_[i]);
      case DType::kUInt8:
        return data_[i];
      case DType::kInt16:
        return reinterpret_cast<const int16_t*>(data_)[i];
      case DType::kUInt16:
        return reinterpret_cast<const uint16_t*>(data_)[i];
      case DType::kUInt4:
        return (data_[i / 2] >> (i % 2 * 4)) & 15;
      case DType::kInt4:
        return (((data_[i / 2] >> (i % 2 * 4)) & 15) ^ 8) - 8;
      default:  // int2
        return (((data_[i / 4] >> (i % 4 * 2)) & 3) ^ 2) - 2;
    }
  }

 private:
  const uint8_t* data_;
  DType dtype_;
};

RunFn DequantizeChannels(const TensorRef& input) {
  const int dimension = input.quantization().quantized_dimension;
  if (dimension < 0 || dimension >= input.shape.rank()) {
    throw InputError("input is quantized along dimension {}, outside of rank {}", dimension, input.shape.rank());
  }
  CheckQuantizedAlong(input, "input", dimension, /*symmetric=*/false);
  const Quantization& q = input.quantization();
  std::vector<Dequantizer> rules;
  for (size_t c = 0; c < q.scale.size(); ++c) {
    const int64_t zero_point = q.zero_point.empty() ? 0 : q.zero_point[c < q.zero_point.size() ? c : 0];
    rules.push_back({q.scale[c], static_cast<int32_t>(zero_point)});
  }
  return [rules, axis = ChannelAxisOf(input.shape, dimension)](const RunContext& run) {
    const CodeReader code(run.Input(0), run.Input(0).dtype);
    const auto y = run.Out<float>(0);
    for (size_t i = 0; i < y.size(); ++i) y[i] = rules[axis(i)](code(i));
  };
}

// The vector kernels' form: `blocked` values by the rule of full blocks. False where they have none for the type.
bool MapCodes(const RunContext& run, const Dequantizer& p, size_t blocked) {
  const auto y = run.Out<float>(0);
  const auto map = [&]<typename T>(T) {
    const auto x = run.In<T>(0);
    run.pool().Run(y.size(), GrainOf(kVectorElementNs), [&](size_t begin, size_t end, int) {
      const size_t middle = std::clamp(blocked, begin, end);
      if constexpr (sizeof(T) == 1) {
        kernels::simd::Map<T, float>(x.data() + begin, y.data() + begin, middle - begin,
                                     kernels::simd::DequantizeBlock{p});
        kernels::simd::Map<T, float>(x.data() + middle, y.data() + middle, end - middle, p);
      } else {
        kernels::simd::Map<T, float>(x.data() + begin, y.data() + begin, end - begin, p);
      }
    });
    return true;
  };
  if (!kernels::simd::UsesVectors()) return false;
  if (run.Input(0).dtype == DType::kInt8) return map(int8_t{});
  if (run.Input(0).dtype == DType::kUInt8) return map(uint8_t{});
  return run.Input(0).dtype == DType::kInt16 && blocked == 0 && map(int16_t{});
}

}  // namespace

RunFn PrepareDequantize(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  CheckType(output, "output", {DType::kFloat32});
  context.SetOutputShape(0, input.shape);
  if (input.dtype == DType::kFloat16) {
    return [](const RunContext& run) {
      const auto* half = reinterpret_cast<const uint16_t*>(run.Input(0).data);
      const auto y = run.Out<float>(0);
      for (size_t i = 0; i < y.size(); ++i) y[i] = HalfToFloat(half[i]);
    };
  }
  CheckType(input, "input",
            {DType::kInt8, DType::kUInt8, DType::kInt16, DType::kUInt16, DType::kInt4, DType::kUInt4, DType::kInt2,
             DType::kFloat16});
  if (input.quantization().is_per_channel()) {
    if (input.dtype == DType::kInt16 || input.dtype == DType::kUInt16) {
      throw InputError("input is {} and quantized per channel, which has no kernel", DTypeName(input.dtype));
    }
    return DequantizeChannels(input);
  }
  CheckPerTensorQuantized(input, "input", /*symmetric=*/input.dtype == DType::kInt16);
  // Unsigned 16-bit codes have a plain kernel only.
  const bool blocks = context.engine() == Engine::kBuiltin && input.dtype != DType::kUInt16;
  return [blocks, p = Dequantizer{input.scale(), input.zero_point()}](const RunContext& run) {
    const auto y = run.Out<float>(0);
    if (MapCodes(run, p, blocks ? y.size() / kBlock * kBlock : 0)) return;
    const CodeReader code(run.Input(0), run.Input(0).dtype);
    const size_t blocked = blocks ? y.size() / kBlock * kBlock : 0;
    for (size_t i = 0; i < blocked; ++i) y[i] = p.Block(code(i));
    for (size_t i = blocked; i < y.size(); ++i) y[i] = p(code(i));
  };
}

bool XnnpackTakesDequantize(const PrepareContext& context) {
  if (!HasOperands(context, 1, 1)) return false;
  const TensorRef& input = context.Input(0);
  return XnnpackTakesShape(input) && XnnpackTakesQuantized8(input) && !input.is_constant &&
         context.Output(0).dtype == DType::kFloat32;
}

}  // namespace assay::ops
