// What the sums of depthwise convolutions on 8-bit codes become: codes or floats. Included once per target.
#if defined(ASSAY_KERNELS_SIMD_DEPTHWISE_FINISH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ASSAY_KERNELS_SIMD_DEPTHWISE_FINISH_INL_H_
#undef ASSAY_KERNELS_SIMD_DEPTHWISE_FINISH_INL_H_
#else
#define ASSAY_KERNELS_SIMD_DEPTHWISE_FINISH_INL_H_
#endif

#include <cstring>

#include "hwy/highway.h"
#include "kernels/simd/codes-inl.h"
#include "kernels/simd/depthwise_conv_2d.h"

HWY_BEFORE_NAMESPACE();
namespace assay::kernels::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// The channels that are computed together: `count` from `channel` on, in arrays `padded_channel`.
struct DepthwiseChunk {
  size_t channel, count, padded_channel;
  const int8_t *weights, *more_weights;
  const uint8_t* more_groups;
  bool has_more;  // any of its groups
};

template <numerics::Rounding kRounding, CodeForm kForm, class D32>
class ToCodes {
 public:
  using Output = uint8_t;
  static constexpr size_t kLanes = hn::MaxLanes(D32());

  HWY_INLINE ToCodes(const Depthwise8Bit& f, size_t padded_channel) : codes_(f.stage) {
    for (size_t j = 0; j < 4; ++j) round_[j].Load(f.scales, f.stage, padded_channel + j * kLanes);
  }
  HWY_INLINE void Store(const hn::Vec<D32> (&sums)[4], size_t count, uint8_t* out) const {
    const hn::Repartition<uint8_t, D32> d8;
    const R* const rounders[4] = {&round_[0], &round_[1], &round_[2], &round_[3]};
    hn::Vec<D32> rounded[4];
    R::RoundFour(rounders, sums, rounded);
    const auto bytes = codes_.template Of<R::kHasZeroPoint>(rounded);
    if (HWY_LIKELY(count == 4 * kLanes)) return hn::StoreU(bytes, d8, out);
#if HWY_TARGET <= HWY_AVX3
    hn::BlendedStore(bytes, hn::FirstN(d8, count), d8, out);
#else
    HWY_ALIGN uint8_t some[4 * kLanes];
    hn::Store(bytes, d8, some);
    CopySome(some, out, count);
#endif
  }

 private:
  using R = CodeRounder<kRounding, kForm, D32>;

  R round_[4];
  Codes<kForm, D32> codes_;
};

// Four vectors as interleaving left them to four in order: of every four blocks of 16 bytes, block b of vector j
// becomes block j of vector b.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void OrderBlocks(D d, V* v) {
  if constexpr (hn::MaxLanes(d) == 8) {
    const V v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3];
    v[0] = hn::ConcatLowerLower(d, v1, v0), v[1] = hn::ConcatLowerLower(d, v3, v2);
    v[2] = hn::ConcatUpperUpper(d, v1, v0), v[3] = hn::ConcatUpperUpper(d, v3, v2);
  }
#if HWY_TARGET <= HWY_AVX3
  if constexpr (hn::MaxLanes(d) == 16) {
    constexpr int kEven = 0x88, kOdd = 0xDD;  // of blocks
    const V v01 = hn::ConcatLowerLower(d, v[1], v[0]), v23 = hn::ConcatLowerLower(d, v[3], v[2]);
    const V u01 = hn::ConcatUpperUpper(d, v[1], v[0]), u23 = hn::ConcatUpperUpper(d, v[3], v[2]);
    v[0].raw = _mm512_shuffle_f32x4(v01.raw, v23.raw, kEven), v[1].raw = _mm512_shuffle_f32x4(v01.raw, v23.raw, kOdd);
    v[2].raw = _mm512_shuffle_f32x4(u01.raw, u23.raw, kEven), v[3].raw = _mm512_shuffle_f32x4(u01.raw, u23.raw, kOdd);
  }
#endif
}

// (sum * first) * second + bias
template <class D32>
class ToFloats {
 public:
  using Output = float;
  static constexpr size_t kLanes = hn::MaxLanes(D32());

  HWY_INLINE ToFloats(const Depthwise8Bit& f, size_t padded_channel) : f_(*f.floats), channel_(padded_channel) {}
  HWY_INLINE void Store(const hn::Vec<D32> (&sums)[4], size_t count, float* out) const {
    const hn::Rebind<float, D32> df;
    hn::Vec<decltype(df)> y[4];
    const auto low = hn::Set(df, f_.low), high = hn::Set(df, f_.high);
    for (size_t j = 0; j < 4; ++j) {
      const size_t c = channel_ + j * kLanes;
      const auto scaled =
          hn::Mul(hn::Mul(hn::ConvertTo(df, sums[j]), hn::LoadU(df, f_.first + c)), hn::LoadU(df, f_.second + c));
      y[j] = LimitFloat(df, hn::Add(scaled, hn::LoadU(df, f_.bias + c)), low, high);
    }
    OrderBlocks(df, y);
    if (count == 4 * kLanes) {
      for (size_t j = 0; j < 4; ++j) hn::StoreU(y[j], df, out + j * kLanes);
      return;
    }
    HWY_ALIGN float some[4 * kLanes];
    for (size_t j = 0; j < 4; ++j) hn::Store(y[j], df, some + j * kLanes);
    std::memcpy(out, some, count * sizeof(float));
  }

 private:
  const DepthwiseFloats& f_;
  size_t channel_;
};

}  // namespace assay::kernels::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
