// RESIZE_BILINEAR: float32, int8, uint8, int16.
#include "kernels/ref/resize_bilinear.h"

#include <memory>
#include <vector>

#include "graph/ops/resize.h"
#include "kernels/simd/resize_bilinear.h"
#include "kernels/simd/target.h"
#include "ops/checks.h"
#include "ops/ops.h"
#include "ops/packed_cache.h"
#include "ops/xnnpack_checks.h"

namespace assay::ops {
namespace {

using kernels::ref::ResizeGeometry;
using kernels::ref::ResizeTap;
using numerics::Engine;

template <typename Fraction>
using TapsFn = void (*)(const kernels::ref::ResizeAxis&, ResizeTap<Fraction>*) noexcept;
template <typename T, typename Fraction>
using ResizeFn = void (*)(const ResizeGeometry&, const ResizeTap<Fraction>*, const ResizeTap<Fraction>*, const T*,
                          T*) noexcept;

template <typename T, typename Fraction>
RunFn RunResize(PrepareContext& context, const ResizeGeometry& g, TapsFn<Fraction> taps, ResizeFn<T, Fraction> resize) {
  if (context.Output(0).size() == 0) return [](const RunContext&) {};
  const int y = context.AddScratch(static_cast<uint64_t>(g.y.output) * sizeof(ResizeTap<Fraction>));
  const int x = context.AddScratch(static_cast<uint64_t>(g.x.output) * sizeof(ResizeTap<Fraction>));
  return [g, y, x, taps, resize](const RunContext& run) {
    auto* y_taps = reinterpret_cast<ResizeTap<Fraction>*>(run.Scratch(y).data());
    auto* x_taps = reinterpret_cast<ResizeTap<Fraction>*>(run.Scratch(x).data());
    taps(g.y, y_taps);
    taps(g.x, x_taps);
    resize(g, y_taps, x_taps, run.In<T>(0).data(), run.Out<T>(0).data());
  };
}

// XNNPACK's rules; `resize` is kernels/ref's.
template <typename T>
RunFn RunXnnpack(PrepareContext& context, const ResizeGeometry& g, ResizeFn<T, float> resize) {
  if (!kernels::simd::UsesVectors() || context.Output(0).size() == 0) {
    return RunResize(context, g, kernels::ref::ResizeTapsXnnpack, resize);
  }
  struct Taps {
    std::vector<ResizeTap<float>> y, x;
  };
  auto taps = std::make_shared<Taps>();
  taps->y.resize(static_cast<size_t>(g.y.output)), taps->x.resize(static_cast<size_t>(g.x.output));
  kernels::ref::ResizeTapsXnnpack(g.y, taps->y.data());
  kernels::ref::ResizeTapsXnnpack(g.x, taps->x.data());
  const ThreadScratch scratch(context, kernels::simd::ResizeBilinearScratch(g));
  const double ns = static_cast<double>(g.x.output) * (1 + 0.3 * static_cast<double>(g.channels));
  return [g, taps, scratch, ns](const RunContext& run) {
    const T* input = run.In<T>(0).data();
    T* output = run.Out<T>(0).data();
    const size_t rows = static_cast<size_t>(g.batches) * static_cast<size_t>(g.y.output);
    run.pool().Run(rows, GrainOf(ns), [&](size_t begin, size_t end, int worker) {
      kernels::simd::ResizeBilinearRows(g, taps->y.data(), taps->x.data(), {begin, end}, input, scratch.Of(run, worker),
                                        output);
    });
  };
}

// The optimised kernel for images enlarged eight times sums like the reference one.
bool IsEightfold(const ResizeGeometry& g) {
  return g.y.half_pixel_centers && !g.y.align_corners && g.channels % 8 == 0 && g.y.output == 8 * int64_t{g.y.input} &&
         g.x.output == 8 * int64_t{g.x.input};
}

}  // namespace

RunFn PrepareResizeBilinear(PrepareContext& context) {
  namespace ref = kernels::ref;
  CheckArity(context, 2, 2, 1);
  const TensorRef &input = context.Input(0), &size = context.Input(1);
  CheckRank(input, "input", 4, 4);
  CheckSameType(input, "input", context.Output(0), "output");
  CheckType(size, "size", {DType::kInt32});
  if (size.shape.rank() != 1 || size.size() != 2) {
    throw InputError("size has the shape {}, expected [2]", size.shape.ToString());
  }
  const auto a = context.op().attributes.As<graph::ResizeAttributes>();
  if (a.align_corners && a.half_pixel_centers)
    throw InputError("align_corners and half_pixel_centers exclude each other");
  const std::span<const int32_t> sizes = context.Values<int32_t>(1);
  if (sizes[0] < 1 || sizes[1] < 1) throw InputError("size is {} x {}, expected at least 1 x 1", sizes[0], sizes[1]);
  if (input.shape[1] < 1 || input.shape[2] < 1) throw InputError("input {} has no pixels", input.shape.ToString());
  const ResizeGeometry g = {.batches = input.shape[0],
                            .channels = input.shape[3],
                            .y = {input.shape[1], sizes[0], a.align_corners, a.half_pixel_centers},
                            .x = {input.shape[2], sizes[1], a.align_corners, a.half_pixel_centers}};
  context.SetOutputShape(0, {g.batches, g.y.output, g.x.output, g.channels});
  const Engine engine = context.engine();
  switch (input.dtype) {
    case DType::kFloat32:
      if (engine == Engine::kXnnpack) return RunXnnpack<float>(context, g, ref::ResizeBilinearFused);
      return RunResize(
          context, g, ref::ResizeTapsFloat,
          engine == Engine::kReference ? ref::ResizeBilinear<float> : ref::ResizeBilinearWeightsFirst<float>);
    case DType::kUInt8:
      if (engine == Engine::kXnnpack) return RunXnnpack<uint8_t>(context, g, ref::ResizeBilinearElevenBit<uint8_t>);
      return RunResize(context, g, ref::ResizeTapsFloat,
                       engine == Engine::kReference || IsEightfold(g) ? ref::ResizeBilinear<uint8_t>
                                                                      : ref::ResizeBilinearWeightsFirst<uint8_t>);
    case DType::kInt8:
      if (engine == Engine::kXnnpack) return RunXnnpack<int8_t>(context, g, ref::ResizeBilinearElevenBit<int8_t>);
      return RunResize(context, g, ref::ResizeTapsTenBit, ref::ResizeBilinearTenBit<int8_t>);
    case DType::kInt16:
      return RunResize(context, g, ref::ResizeTapsTenBit, ref::ResizeBilinearTenBit<int16_t>);
    default:
      UnsupportedTypes(context);
  }
}

bool XnnpackTakesResizeBilinear(const PrepareContext& context) {
  if (context.num_inputs() != 2 || context.num_outputs() != 1) return false;
  const TensorRef& size = context.Input(1);
  return XnnpackTakesFloatOrQuantized8(context.Input(0)) && XnnpackTakesFloatOrQuantized8(context.Output(0)) &&
         size.dtype == DType::kInt32 && size.is_constant && size.shape.rank() == 1 && context.Input(0).size() > 0;
}

}  // namespace assay::ops
