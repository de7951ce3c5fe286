// What values hold, by channel and as a whole: for calibration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace assay::kernels::ref {

// Of every channel of x[rows, channels], written, not added to. A channel that holds NaN or an infinity has NaN or an
// infinity for its square.
struct ChannelTotals {
  float* low;         // least and greatest value
  float* high;        //
  double* sum;        // row after row
  double* square;     // the sum of squares
  int32_t* at_limit;  // how many values reach the limit
};

inline void TotalChannels(const float* x, size_t rows, size_t channels, float limit, const ChannelTotals& totals) {
  for (size_t c = 0; c < channels; ++c) {
    float low = std::numeric_limits<float>::infinity(), high = -low;
    double sum = 0, square = 0;
    int32_t at_limit = 0;
    for (const float* v = x + c; v < x + rows * channels; v += channels) {
      const auto wide = static_cast<double>(*v);
      low = *v < low ? *v : low;
      high = *v > high ? *v : high;
      sum += wide;
      square += wide * wide;
      at_limit += *v >= limit ? 1 : 0;
    }
    totals.low[c] = low, totals.high[c] = high;
    totals.sum[c] = sum, totals.square[c] = square;
    totals.at_limit[c] = at_limit;
  }
}

struct Extent {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
  bool all_finite = true;  // else low and high say nothing
};

inline Extent ExtentOf(const float* x, size_t count) {
  Extent e;
  float poison = 0;  // NaN after NaN or an infinity
  for (size_t i = 0; i < count; ++i) {
    e.low = x[i] < e.low ? x[i] : e.low;
    e.high = x[i] > e.high ? x[i] : e.high;
    poison += x[i] - x[i];
  }
  e.all_finite = poison == 0;
  return e;
}

}  // namespace assay::kernels::ref
