// From operand shapes to the walks of kernels/ref/broadcast.h.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "kernels/ref/broadcast.h"
#include "tensor/shape.h"

namespace assay::ops {

// The shape that all operands broadcast to. Throws InputError where they do not fit together.
Shape BroadcastShape(std::initializer_list<const Shape*> shapes);

namespace internal {
// Fills extent and stride (one row per operand); returns the rank after merging. Throws beyond kMaxBroadcastRank.
int PlanBroadcast(std::span<const Shape* const> shapes, const Shape& output, int64_t* extent,
                  std::array<int64_t, kernels::ref::kMaxBroadcastRank>* stride);
}  // namespace internal

// Each operand must broadcast to `output` (see BroadcastShape).
template <int N>
kernels::ref::Broadcast<N> PlanBroadcast(const std::array<const Shape*, N>& shapes, const Shape& output) {
  kernels::ref::Broadcast<N> plan;
  plan.rank = internal::PlanBroadcast(shapes, output, plan.extent.data(), plan.stride.data());
  return plan;
}

// TFLite's ProcessBroadcastShapes.
kernels::ref::FiveFold PlanFiveFold(const Shape& a, const Shape& b);

}  // namespace assay::ops
