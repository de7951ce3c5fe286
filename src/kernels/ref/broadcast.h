// Walking over operands of different shapes as numpy broadcasts them: the plain walk, and the order in which TFLite's
// optimised 8-bit kernels cut their work into runs, on whose length their rounding depends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace assay::kernels::ref {

inline constexpr int kMaxBroadcastRank = 8;

// N operands. Dimensions outermost first; neighbours that no operand tells apart are merged.
template <int N>
struct Broadcast {
  int rank = 1;
  std::array<int64_t, kMaxBroadcastRank> extent = {};
  std::array<std::array<int64_t, kMaxBroadcastRank>, N> stride = {};  // in elements; 0 where the operand repeats
};

// Calls each(output index, {index into every operand}) in the order of the output.
template <int N, typename Each>
void ForEachBroadcast(const Broadcast<N>& b, Each&& each) {
  for (int d = 0; d < b.rank; ++d) {
    if (b.extent[static_cast<size_t>(d)] == 0) return;
  }
  const auto last = static_cast<size_t>(b.rank - 1);
  std::array<int64_t, kMaxBroadcastRank> position = {};
  std::array<int64_t, N> base = {};
  int64_t out = 0;
  while (true) {
    std::array<int64_t, N> at = base;
    for (int64_t i = 0; i < b.extent[last]; ++i) {
      each(out++, at);
      for (size_t k = 0; k < N; ++k) at[k] += b.stride[k][last];
    }
    size_t d = last;
    while (d > 0) {
      --d;
      for (size_t k = 0; k < N; ++k) base[k] += b.stride[k][d];
      if (++position[d] < b.extent[d]) break;
      for (size_t k = 0; k < N; ++k) base[k] -= b.stride[k][d] * b.extent[d];
      position[d] = 0;
      if (d == 0) return;
    }
    if (last == 0) return;
  }
}

// out[i] = f(a[..], b[..])
template <typename A, typename B, typename Out, typename F>
void BinaryElementwise(const Broadcast<2>& shape, const A* a, const B* b, Out* out, const F& f) noexcept {
  ForEachBroadcast(
      shape, [&](int64_t at, const std::array<int64_t, 2>& in) { out[at] = static_cast<Out>(f(a[in[0]], b[in[1]])); });
}

// How TFLite's optimised binary kernels walk: y0 to y4 are the extents of its five-fold pattern, in which one operand
// ("fast": the one that repeats innermost) lacks y3 and the other lacks y1. Where the pattern does not fit they fall
// back to the plain walk.
struct FiveFold {
  enum class Kind : uint8_t {
    kFlat,     // equal shapes: one run of y4
    kRows,     // y4 > 1: runs of y4 elements of both
    kScalars,  // y4 = 1: runs of y3, one value of the fast operand against many of the other
    kGeneric,  // no pattern
  };
  Kind kind = Kind::kGeneric;
  bool second_is_fast = false;
  std::array<int64_t, 5> y = {1, 1, 1, 1, 1};
};

// One run: elements in full blocks of `block` follow `inside`, the rest `tail`. A step of 0 repeats the operand.
template <typename T, typename Inside, typename Tail>
void RunInBlocks(int64_t size, int64_t block, const T* a, int64_t a_step, const T* b, int64_t b_step, T* out,
                 const Inside& inside, const Tail& tail) noexcept {
  const int64_t blocked = size / block * block;
  for (int64_t i = 0; i < blocked; ++i) out[i] = static_cast<T>(inside(a[i * a_step], b[i * b_step]));
  for (int64_t i = blocked; i < size; ++i) out[i] = static_cast<T>(tail(a[i * a_step], b[i * b_step]));
}

// row_block/row rule runs of both operands, scalar_block/scalar runs against one value, tail what is left of either.
template <typename T, typename Row, typename Scalar, typename Tail>
void BinaryFiveFold(const FiveFold& shape, const T* a, const T* b, T* out, int64_t row_block, const Row& row,
                    int64_t scalar_block, const Scalar& scalar, const Tail& tail) noexcept {
  const auto& y = shape.y;
  if (shape.kind == FiveFold::Kind::kFlat) {
    RunInBlocks(y[4], row_block, a, 1, b, 1, out, row, tail);
    return;
  }
  const T* fast = shape.second_is_fast ? b : a;
  const T* slow_start = shape.second_is_fast ? a : b;
  for (int64_t i0 = 0; i0 < y[0]; ++i0) {
    const T* slow = slow_start;
    for (int64_t i1 = 0; i1 < y[1]; ++i1) {
      slow = slow_start;
      for (int64_t i2 = 0; i2 < y[2]; ++i2) {
        if (shape.kind == FiveFold::Kind::kRows) {
          for (int64_t i3 = 0; i3 < y[3]; ++i3) {
            shape.second_is_fast ? RunInBlocks(y[4], row_block, slow, 1, fast, 1, out, row, tail)
                                 : RunInBlocks(y[4], row_block, fast, 1, slow, 1, out, row, tail);
            slow += y[4], out += y[4];
          }
          fast += y[4];
        } else {
          shape.second_is_fast ? RunInBlocks(y[3], scalar_block, slow, 1, fast, 0, out, scalar, tail)
                               : RunInBlocks(y[3], scalar_block, fast, 0, slow, 1, out, scalar, tail);
          slow += y[3], out += y[3];
          ++fast;
        }
      }
    }
    slow_start = slow;
  }
}

}  // namespace assay::kernels::ref
