#include "kernels/simd/reduce.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd/reduce.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

// The forms: the name of the target's function, the type of the values, of the bounds, of the sums.
#ifndef ASSAY_SIMD_REDUCE_FORMS
#define ASSAY_SIMD_REDUCE_FORMS
#define ASSAY_SIMD_ADDITIONS(FORM) \
  FORM(AddInt8, int8_t, int32_t)   \
  FORM(AddUInt8, uint8_t, int32_t) \
  FORM(AddInt16, int16_t, int32_t) \
  FORM(AddFloat, float, float)     \
  FORM(AddFloatWide, float, double)
#define ASSAY_SIMD_AVERAGES(FORM)               \
  FORM(AverageInt8, int8_t, int32_t, int32_t)   \
  FORM(AverageUInt8, uint8_t, int32_t, int32_t) \
  FORM(AverageFloat, float, float, float)
#define ASSAY_SIMD_MAXIMA(FORM)        \
  FORM(MaximumInt8, int8_t, int32_t)   \
  FORM(MaximumUInt8, uint8_t, int32_t) \
  FORM(MaximumFloat, float, float)
#endif

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {
namespace {  // other files use the same names for other things

namespace hn = hwy::HWY_NAMESPACE;

template <typename T, typename Sum>
HWY_INLINE void AddRow(const T* HWY_RESTRICT x, size_t channels, Sum* HWY_RESTRICT sums) {
  for (size_t c = 0; c < channels; ++c) {
    if constexpr (std::is_integral_v<T>) {
      sums[c] = static_cast<Sum>(static_cast<uint32_t>(sums[c]) + static_cast<uint32_t>(int32_t{x[c]}));
    } else {
      sums[c] += static_cast<Sum>(x[c]);
    }
  }
}

// A few channels at a time keep their sums in registers while all rows pass.
template <typename T, typename Sum>
HWY_INLINE void AddRowsLoop(const T* x, size_t rows, size_t channels, Sum* sums) {
  constexpr size_t kTogether = 64;
  size_t c = 0;
  for (; c + kTogether <= channels; c += kTogether) {
    Sum local[kTogether];
    std::copy_n(sums + c, kTogether, local);
    for (size_t r = 0; r < rows; ++r) AddRow(x + r * channels + c, kTogether, local);
    std::copy_n(local, kTogether, sums + c);
  }
  if (c == channels) return;
  for (size_t r = 0; r < rows; ++r) AddRow(x + r * channels + c, channels - c, sums + c);
}

// One output pixel's window: the pixels that lie inside of the image.
struct Window {
  int64_t top, bottom, left, right;
};

// Calls pool(first pixel of the image, window, output pixel) for the output rows [begin, end).
template <typename T, typename Pool>
HWY_INLINE void ForWindows(const ref::Pool2DGeometry& g, const T* input, size_t begin, size_t end, T* output,
                           Pool&& pool) {
  output += static_cast<int64_t>(begin) * g.output_w * g.channels;
  for (auto row = static_cast<int64_t>(begin); row < static_cast<int64_t>(end); ++row) {
    const T* image = input + row / g.output_h * g.input_h * g.input_w * g.channels;
    const int64_t top = row % g.output_h * g.stride_h - g.pad_h;
    for (int32_t ox = 0; ox < g.output_w; ++ox, output += g.channels) {
      const int64_t left = int64_t{ox} * g.stride_w - g.pad_w;
      pool(image,
           Window{std::max<int64_t>(top, 0), std::min<int64_t>(top + g.filter_h, g.input_h), std::max<int64_t>(left, 0),
                  std::min<int64_t>(left + g.filter_w, g.input_w)},
           output);
    }
  }
}

// In this order NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Limited(D d, V x, float low, float high) {
  const auto vlow = hn::Set(d, low), vhigh = hn::Set(d, high);
  x = hn::IfThenElse(hn::Lt(x, vlow), vlow, x);
  return hn::IfThenElse(hn::Lt(vhigh, x), vhigh, x);
}

// Calls compute(tag, c) for the channels in the widest vectors of T, of at most kMost, that fit.
template <typename T, size_t kMost, typename Compute>
HWY_INLINE void ForChannels(size_t channels, const Compute& compute) {
  size_t c = 0;
  const auto take = [&](auto tag) HWY_ATTR {
    for (; c + hn::MaxLanes(tag) <= channels; c += hn::MaxLanes(tag)) compute(tag, c);
  };
  take(hn::CappedTag<T, kMost>());
  take(hn::CappedTag<T, kMost / 2>());
  take(hn::CappedTag<T, kMost / 4>());
  take(hn::CappedTag<T, 2>());
  take(hn::CappedTag<T, 1>());
}

// Floats: sums stay in registers while the window passes.
HWY_INLINE void AverageFloatRows(const ref::Pool2DGeometry& g, const float* input, float low, float high, size_t begin,
                                 size_t end, float* output) {
  const auto channels = static_cast<size_t>(g.channels);
  ForWindows(g, input, begin, end, output, [&](const float* image, const Window& w, float* HWY_RESTRICT to) HWY_ATTR {
    const auto count = static_cast<float>((w.bottom - w.top) * std::max<int64_t>(w.right - w.left, 0));
    ForChannels<float, 16>(channels, [&](auto d, size_t c) HWY_ATTR {
      auto sum = hn::Zero(d);
      for (int64_t y = w.top; y < w.bottom; ++y) {
        const float* from = image + (y * g.input_w + w.left) * g.channels + c;
        for (int64_t x = w.left; x < w.right; ++x, from += channels) sum = hn::Add(sum, hn::LoadU(d, from));
      }
      hn::StoreU(Limited(d, hn::Div(sum, hn::Set(d, count)), low, high), d, to + c);
    });
  });
}

// Where a window's pixels are, beginning at those that are added up first. Windows that lie inside of the image and
// are no more than a group differ in where they begin alone.
class PoolPixels {
 public:
  explicit PoolPixels(const ref::Pool2DGeometry& g)
      : g_(g), whole_(int64_t{g.filter_h} * g.filter_w <= ref::kPoolGroup) {}
  bool Contains(int64_t top, int64_t left) const {
    return whole_ && top >= 0 && left >= 0 && top + g_.filter_h <= g_.input_h && left + g_.filter_w <= g_.input_w;
  }
  // Of such a window; `zeros` where it has no more.
  void Find(const float* image, int64_t top, int64_t left, const float* zeros,
            const float* (&pixels)[ref::kPoolGroup]) {
    if (!known_) {
      ref::PoolColumns columns(g_, 0, 0);
      for (int64_t& offset : offsets_) offset = columns.Next();
      known_ = true;
    }
    const float* first = image + (top * g_.input_w + left) * g_.channels;
    for (int k = 0; k < ref::kPoolGroup; ++k) pixels[k] = offsets_[k] < 0 ? zeros : first + offsets_[k];
  }

 private:
  const ref::Pool2DGeometry& g_;
  bool whole_, known_ = false;
  int64_t offsets_[ref::kPoolGroup] = {};
};

// `zeros` has one for every channel.
void AverageFloatXnnpack(const ref::Pool2DGeometry& g, const float* input, float low, float high, size_t begin,
                         size_t end, float* HWY_RESTRICT zeros, float* output) {
  const auto channels = static_cast<size_t>(g.channels);
  std::fill_n(zeros, channels, 0.0F);
  output += static_cast<int64_t>(begin) * g.output_w * g.channels;
  PoolPixels inside(g);
  const float* p[ref::kPoolGroup];
  const auto x = [&](auto d, size_t k, size_t c) HWY_ATTR { return hn::LoadU(d, p[k] + c); };
  const auto sum_of = [&](auto d, size_t c) HWY_ATTR {
    return hn::Add(hn::Add(hn::Add(x(d, 2, c), x(d, 3, c)), hn::Add(x(d, 4, c), x(d, 5, c))),
                   hn::Add(hn::Add(hn::Add(x(d, 0, c), x(d, 1, c)), x(d, 8, c)), hn::Add(x(d, 6, c), x(d, 7, c))));
  };
  for (auto row = static_cast<int64_t>(begin); row < static_cast<int64_t>(end); ++row) {
    const float* image = input + row / g.output_h * g.input_h * g.input_w * g.channels;
    const int64_t top = row % g.output_h * g.stride_h - g.pad_h;
    for (int32_t ox = 0; ox < g.output_w; ++ox, output += channels) {
      const int64_t left = int64_t{ox} * g.stride_w - g.pad_w;
      ref::PoolColumns columns(g, top, left);
      const float factor = columns.Factor();
      if (inside.Contains(top, left)) {
        inside.Find(image, top, left, zeros, p);
        ForChannels<float, 16>(channels, [&](auto d, size_t c) HWY_ATTR {
          hn::StoreU(Limited(d, hn::Mul(sum_of(d, c), hn::Set(d, factor)), low, high), d, output + c);
        });
        continue;
      }
      for (bool first = true; !columns.at_end(); first = false) {
        for (const float*& pixel : p) {
          const int64_t at = columns.Next();
          pixel = at < 0 ? zeros : image + at;
        }
        const bool last = columns.at_end();
        ForChannels<float, 16>(channels, [&](auto d, size_t c) HWY_ATTR {
          auto sum = sum_of(d, c);
          if (!first) sum = hn::Add(sum, hn::LoadU(d, output + c));
          if (last) sum = Limited(d, hn::Mul(sum, hn::Set(d, factor)), low, high);
          hn::StoreU(sum, d, output + c);
        });
      }
    }
  }
}

HWY_INLINE void MaximumFloatRows(const ref::Pool2DGeometry& g, const float* input, float low, float high, size_t begin,
                                 size_t end, float* output) {
  const auto channels = static_cast<size_t>(g.channels);
  ForWindows(g, input, begin, end, output, [&](const float* image, const Window& w, float* HWY_RESTRICT to) HWY_ATTR {
    ForChannels<float, 16>(channels, [&](auto d, size_t c) HWY_ATTR {
      auto most = hn::Set(d, std::numeric_limits<float>::lowest());
      for (int64_t y = w.top; y < w.bottom; ++y) {
        const float* from = image + (y * g.input_w + w.left) * g.channels + c;
        for (int64_t x = w.left; x < w.right; ++x, from += channels) {
          const auto value = hn::LoadU(d, from);
          most = hn::IfThenElse(hn::Lt(most, value), value, most);
        }
      }
      hn::StoreU(Limited(d, most, low, high), d, to + c);
    });
  });
}

template <typename T, typename Sum, typename Bound>
HWY_INLINE void AverageRows(const ref::Pool2DGeometry& g, const T* input, Bound low, Bound high, size_t begin,
                            size_t end, Sum* HWY_RESTRICT sums, T* output) {
  if constexpr (std::is_floating_point_v<T>) return AverageFloatRows(g, input, low, high, begin, end, output);
  const auto channels = static_cast<size_t>(g.channels);
  ForWindows(g, input, begin, end, output, [&](const T* image, const Window& w, T* HWY_RESTRICT to) HWY_ATTR {
    std::fill_n(sums, channels, Sum{0});
    const int64_t columns = std::max<int64_t>(w.right - w.left, 0);
    for (int64_t y = w.top; y < w.bottom; ++y) {
      AddRowsLoop(image + (y * g.input_w + w.left) * g.channels, static_cast<size_t>(columns), channels, sums);
    }
    // The quotients are small, so that double separates them from whole numbers.
    const auto count = static_cast<int32_t>((w.bottom - w.top) * columns);
    const auto divisor = static_cast<double>(count);
    const int32_t half = count / 2;
    for (size_t c = 0; c < channels; ++c) {
      const auto sum = static_cast<int32_t>(sums[c]);
      const int32_t numerator = sum + (sum > 0 ? half : -half);
      const auto mean = static_cast<int32_t>(static_cast<double>(numerator) / divisor);
      to[c] = static_cast<T>(std::min(std::max(mean, static_cast<int32_t>(low)), static_cast<int32_t>(high)));
    }
  });
}

template <typename T, typename Bound>
HWY_INLINE void MaximumRows(const ref::Pool2DGeometry& g, const T* input, Bound low, Bound high, size_t begin,
                            size_t end, T* output) {
  if constexpr (std::is_floating_point_v<T>) return MaximumFloatRows(g, input, low, high, begin, end, output);
  const auto channels = static_cast<size_t>(g.channels);
  ForWindows(g, input, begin, end, output, [&](const T* image, const Window& w, T* HWY_RESTRICT to) HWY_ATTR {
    std::fill_n(to, channels, std::numeric_limits<T>::lowest());
    for (int64_t y = w.top; y < w.bottom; ++y) {
      for (int64_t x = w.left; x < w.right; ++x) {
        const T* HWY_RESTRICT from = image + (y * g.input_w + x) * g.channels;
        for (size_t c = 0; c < channels; ++c) to[c] = to[c] < from[c] ? from[c] : to[c];
      }
    }
    for (size_t c = 0; c < channels; ++c) {
      to[c] = static_cast<T>(std::min(std::max(static_cast<Bound>(to[c]), low), high));
    }
  });
}

#define ASSAY_SIMD_ADD(name, T, Sum) \
  void name(const T* x, size_t rows, size_t channels, Sum* sums) { AddRowsLoop(x, rows, channels, sums); }
ASSAY_SIMD_ADDITIONS(ASSAY_SIMD_ADD)
#undef ASSAY_SIMD_ADD

#define ASSAY_SIMD_AVERAGE(name, T, Bound, Sum)                                                                       \
  void name(const ref::Pool2DGeometry& g, const T* input, Bound low, Bound high, size_t begin, size_t end, Sum* sums, \
            T* output) {                                                                                              \
    AverageRows(g, input, low, high, begin, end, sums, output);                                                       \
  }
ASSAY_SIMD_AVERAGES(ASSAY_SIMD_AVERAGE)
#undef ASSAY_SIMD_AVERAGE

#define ASSAY_SIMD_MAXIMUM(name, T, Bound)                                                                 \
  void name(const ref::Pool2DGeometry& g, const T* input, Bound low, Bound high, size_t begin, size_t end, \
            T* output) {                                                                                   \
    MaximumRows(g, input, low, high, begin, end, output);                                                  \
  }
ASSAY_SIMD_MAXIMA(ASSAY_SIMD_MAXIMUM)
#undef ASSAY_SIMD_MAXIMUM

}  // namespace
}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace assay::kernels::simd {

#define ASSAY_SIMD_ADD(name, T, Sum)                                           \
  HWY_EXPORT(name);                                                            \
  void AddRows(const T* x, size_t rows, size_t channels, Sum* sums) noexcept { \
    HWY_DYNAMIC_DISPATCH(name)(x, rows, channels, sums);                       \
  }
ASSAY_SIMD_ADDITIONS(ASSAY_SIMD_ADD)
#undef ASSAY_SIMD_ADD

#define ASSAY_SIMD_AVERAGE(name, T, Bound, Sum)                                                                       \
  HWY_EXPORT(name);                                                                                                   \
  void AveragePoolRows(const ref::Pool2DGeometry& g, const T* input, Bound low, Bound high, size_t begin, size_t end, \
                       Sum* sums, T* output) noexcept {                                                               \
    HWY_DYNAMIC_DISPATCH(name)(g, input, low, high, begin, end, sums, output);                                        \
  }
ASSAY_SIMD_AVERAGES(ASSAY_SIMD_AVERAGE)
#undef ASSAY_SIMD_AVERAGE

HWY_EXPORT(AverageFloatXnnpack);
void AveragePoolRowsXnnpack(const ref::Pool2DGeometry& g, const float* input, float low, float high, size_t begin,
                            size_t end, float* zeros, float* output) noexcept {
  HWY_DYNAMIC_DISPATCH(AverageFloatXnnpack)(g, input, low, high, begin, end, zeros, output);
}

#define ASSAY_SIMD_MAXIMUM(name, T, Bound)                                                                        \
  HWY_EXPORT(name);                                                                                               \
  void MaxPoolRows(const ref::Pool2DGeometry& g, const T* input, Bound low, Bound high, size_t begin, size_t end, \
                   T* output) noexcept {                                                                          \
    HWY_DYNAMIC_DISPATCH(name)(g, input, low, high, begin, end, output);                                          \
  }
ASSAY_SIMD_MAXIMA(ASSAY_SIMD_MAXIMUM)
#undef ASSAY_SIMD_MAXIMUM

}  // namespace assay::kernels::simd
#endif
