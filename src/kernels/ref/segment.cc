#include "kernels/ref/segment.h"

#include <algorithm>
#include <limits>
#include <type_traits>

namespace assay::kernels::ref {
namespace {

template <typename T>
T Combine(ReduceKind kind, T a, T b) {
  switch (kind) {
    case ReduceKind::kMax:
      return std::max(a, b);
    case ReduceKind::kMin:
      return std::min(a, b);
    case ReduceKind::kSum:
      if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
      return a + b;
    case ReduceKind::kProd:
      if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
      return a * b;
  }
  return a;
}

template <typename T>
T Neutral(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::kMax:
      return std::numeric_limits<T>::lowest();
    case ReduceKind::kMin:
      return std::numeric_limits<T>::max();
    case ReduceKind::kSum:
      return T{0};
    case ReduceKind::kProd:
      return T{1};
  }
  return T{0};
}

}  // namespace

template <typename T>
void ReduceSegments(ReduceKind kind, int64_t rows, int64_t width, int64_t segments, const int32_t* ids, const T* input,
                    T* output) noexcept {
  std::fill_n(output, segments * width, Neutral<T>(kind));
  for (int64_t r = 0; r < rows; ++r) {
    if (ids[r] < 0) continue;
    T* to = output + ids[r] * width;
    for (int64_t i = 0; i < width; ++i) to[i] = Combine(kind, to[i], input[r * width + i]);
  }
}

template void ReduceSegments<float>(ReduceKind, int64_t, int64_t, int64_t, const int32_t*, const float*,
                                    float*) noexcept;
template void ReduceSegments<int32_t>(ReduceKind, int64_t, int64_t, int64_t, const int32_t*, const int32_t*,
                                      int32_t*) noexcept;

}  // namespace assay::kernels::ref
