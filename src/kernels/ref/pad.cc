#include "kernels/ref/pad.h"

#include <algorithm>
#include <cstring>

namespace assay::kernels::ref {
namespace {

int64_t Mirrored(int64_t i, int64_t before, int64_t size, int64_t border) {
  if (i < before) return before - 1 + border - i;
  i -= before;
  return i < size ? i : std::max<int64_t>(2 * size - 1 - border - i, 0);
}

}  // namespace

namespace {

// Writes the output from its first byte to its last.
class PadWriter {
 public:
  PadWriter(const PadGeometry& g, int bits, const void* value, const void* input, void* output)
      : g_(g),
        bits_(bits),
        value_(value),
        from_(static_cast<const uint8_t*>(input)),
        to_(static_cast<uint8_t*>(output)) {
    int64_t block = 1;
    for (int d = g.rank - 1; d >= 0; --d) {
      block_[d] = block;
      block *= g.before[d] + g.input[d] + g.after[d];
      // Dimensions that nothing is put around move as one with the last that something is.
      if (innermost_ < 0 && (g.before[d] != 0 || g.after[d] != 0 || d == 0)) innermost_ = d;
    }
  }
  void Write(int d) {
    Fill(g_.before[d] * block_[d]);
    if (d == innermost_) {
      const auto bytes = static_cast<size_t>(g_.input[d] * block_[d] * (bits_ / 8));
      std::memcpy(to_, from_, bytes);
      to_ += bytes, from_ += bytes;
    } else {
      for (int64_t i = 0; i < g_.input[d]; ++i) Write(d + 1);
    }
    Fill(g_.after[d] * block_[d]);
  }

 private:
  void Fill(int64_t count) {
    FillElements(bits_, value_, count, to_);
    to_ += count * (bits_ / 8);
  }

  const PadGeometry& g_;
  int bits_;
  const void* value_;
  const uint8_t* from_;
  uint8_t* to_;
  int64_t block_[kMaxCopyRank] = {};  // elements of the output for one index of a dimension
  int innermost_ = -1;
};

}  // namespace

void Pad(const PadGeometry& g, int bits, const void* value, const void* input, void* output) noexcept {
  for (int d = 0; d < g.rank; ++d) {
    if (g.before[d] + g.input[d] + g.after[d] == 0) return;
  }
  if (g.rank == 0) return CopyElements(bits, input, 0, 1, output, 0);
  PadWriter(g, bits, value, input, output).Write(0);
}

void MirrorPad(const MirrorPadGeometry& g, int bits, const void* input, void* output) noexcept {
  int64_t count = 1;
  for (int d = 0; d < g.rank; ++d) count *= g.output[d];
  int64_t index[kMaxCopyRank] = {};
  for (int64_t out = 0; out < count; ++out) {
    int64_t in = 0;
    for (int d = 0; d < g.rank; ++d) in = in * g.input[d] + Mirrored(index[d], g.before[d], g.input[d], g.border);
    CopyElements(bits, input, in, 1, output, out);
    for (int d = g.rank - 1; d >= 0; --d) {
      if (++index[d] < g.output[d]) break;
      index[d] = 0;
    }
  }
}

}  // namespace assay::kernels::ref
