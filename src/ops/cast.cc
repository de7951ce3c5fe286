// CAST between all element types, int4 and int2 to and from float32.
#include "kernels/ref/cast.h"

#include <optional>

#include "ops/elementwise.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

using kernels::ref::BFloat16;
using kernels::ref::Bool;
using kernels::ref::Complex64;
using kernels::ref::Half;

// Calls body(T{}) with the stored form of `dtype`; false where CAST does not know the type.
template <typename Body>
bool WithStored(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::kFloat32:
      body(float{});
      return true;
    case DType::kFloat64:
      body(double{});
      return true;
    case DType::kFloat16:
      body(Half{});
      return true;
    case DType::kBFloat16:
      body(BFloat16{});
      return true;
    case DType::kComplex64:
      body(Complex64{});
      return true;
    case DType::kBool:
      body(Bool{});
      return true;
    case DType::kInt8:
      body(int8_t{});
      return true;
    case DType::kUInt8:
      body(uint8_t{});
      return true;
    case DType::kInt16:
      body(int16_t{});
      return true;
    case DType::kUInt16:
      body(uint16_t{});
      return true;
    case DType::kInt32:
      body(int32_t{});
      return true;
    case DType::kUInt32:
      body(uint32_t{});
      return true;
    case DType::kInt64:
      body(int64_t{});
      return true;
    default:
      return false;
  }
}

template <typename From, typename To>
void CastAll(const RunContext& run) {
  const auto count = static_cast<size_t>(run.Output(0).size());
  const std::span<const From> x(reinterpret_cast<const From*>(run.Input(0).data), count);
  const std::span<To> y(reinterpret_cast<To*>(MutableBytes(run.Output(0)).data()), count);
  kernels::ref::Map(x, y, kernels::ref::Convert<To, From>);
}

// Types of 4 and 2 bits, packed from the low bits up.
template <int kBits>
void CastFromPacked(const RunContext& run) {
  constexpr size_t kPerByte = 8 / kBits;
  constexpr int kSign = 1 << (kBits - 1);
  const auto y = run.Out<float>(0);
  for (size_t i = 0; i < y.size(); ++i) {
    const int code = (run.Input(0).data[i / kPerByte] >> (i % kPerByte * kBits)) & (2 * kSign - 1);
    y[i] = static_cast<float>((code ^ kSign) - kSign);
  }
}

template <int kBits>
void CastToPacked(const RunContext& run) {
  constexpr size_t kPerByte = 8 / kBits;
  constexpr auto kHigh = static_cast<float>((1 << (kBits - 1)) - 1);
  const auto x = run.In<float>(0);
  const auto packed = MutableBytes(run.Output(0));
  std::fill(packed.begin(), packed.end(), uint8_t{0});
  for (size_t i = 0; i < x.size(); ++i) {
    const float clamped = std::isnan(x[i]) ? 0 : std::clamp(x[i], -kHigh - 1, kHigh);
    const int code = static_cast<int>(clamped) & ((1 << kBits) - 1);
    packed[i / kPerByte] = static_cast<uint8_t>(packed[i / kPerByte] | code << (i % kPerByte * kBits));
  }
}

}  // namespace

RunFn PrepareCast(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const DType from = context.Input(0).dtype, to = context.Output(0).dtype;
  context.SetOutputShape(0, context.Input(0).shape);
  if (to == DType::kFloat32 && from == DType::kInt4) return CastFromPacked<4>;
  if (to == DType::kFloat32 && from == DType::kInt2) return CastFromPacked<2>;
  if (from == DType::kFloat32 && to == DType::kInt4) return CastToPacked<4>;
  if (from == DType::kFloat32 && to == DType::kInt2) return CastToPacked<2>;
  RunFn run;
  WithStored(from, [&]<typename From>(From) { WithStored(to, [&]<typename To>(To) { run = CastAll<From, To>; }); });
  if (run == nullptr) UnsupportedTypes(context);
  return run;
}

}  // namespace assay::ops
