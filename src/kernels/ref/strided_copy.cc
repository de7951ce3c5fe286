#include "kernels/ref/strided_copy.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace assay::kernels::ref {
namespace {

// Element i of a packed array of 2- or 4-bit values.
uint8_t Packed(const uint8_t* data, int bits, int64_t i) {
  const int64_t per_byte = 8 / bits;
  return static_cast<uint8_t>((data[i / per_byte] >> (i % per_byte * bits)) & ((1 << bits) - 1));
}

void SetPacked(uint8_t* data, int bits, int64_t i, uint8_t value) {
  const int64_t per_byte = 8 / bits;
  const int shift = static_cast<int>(i % per_byte) * bits;
  uint8_t& byte = data[i / per_byte];
  byte = static_cast<uint8_t>((byte & ~(((1 << bits) - 1) << shift)) | (value << shift));
}

// Calls run(in, out) at the start of every innermost line.
template <typename Run>
void ForEachLine(const StridedCopy& copy, const Run& run) {
  for (int d = 0; d < copy.rank; ++d) {
    if (copy.size[d] == 0) return;
  }
  int64_t index[kMaxCopyRank] = {};
  int64_t in = copy.in_offset, out = copy.out_offset;
  for (;;) {
    run(in, out);
    int d = copy.rank - 2;
    for (; d >= 0; --d) {
      in += copy.in_stride[d], out += copy.out_stride[d];
      if (++index[d] < copy.size[d]) break;
      in -= copy.in_stride[d] * copy.size[d], out -= copy.out_stride[d] * copy.size[d];
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

// Byte pointers and memcpy: constants of a mapped file need not be aligned.
template <int64_t kBytes>
void CopyWhole(const StridedCopy& copy, const uint8_t* input, uint8_t* output) {
  const int last = copy.rank - 1;
  const int64_t count = last < 0 ? 1 : copy.size[last];
  const int64_t in_step = last < 0 ? 0 : copy.in_stride[last], out_step = last < 0 ? 0 : copy.out_stride[last];
  ForEachLine(copy, [&](int64_t in, int64_t out) {
    const uint8_t* from = input + in * kBytes;
    uint8_t* to = output + out * kBytes;
    if (in_step == 1 && out_step == 1) {
      std::memcpy(to, from, static_cast<size_t>(count * kBytes));
      return;
    }
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(to + i * out_step * kBytes, from + i * in_step * kBytes, static_cast<size_t>(kBytes));
    }
  });
}

void CopyPacked(const StridedCopy& copy, int bits, const uint8_t* input, uint8_t* output) {
  const int last = copy.rank - 1;
  const int64_t count = last < 0 ? 1 : copy.size[last];
  const int64_t in_step = last < 0 ? 0 : copy.in_stride[last], out_step = last < 0 ? 0 : copy.out_stride[last];
  ForEachLine(copy, [&](int64_t in, int64_t out) {
    for (int64_t i = 0; i < count; ++i) {
      SetPacked(output, bits, out + i * out_step, Packed(input, bits, in + i * in_step));
    }
  });
}

}  // namespace

void CopyStrided(const StridedCopy& copy, int bits, const void* input, void* output) noexcept {
  const auto* from = static_cast<const uint8_t*>(input);
  auto* to = static_cast<uint8_t*>(output);
  switch (bits) {
    case 2:
    case 4:
      return CopyPacked(copy, bits, from, to);
    case 8:
      return CopyWhole<1>(copy, from, to);
    case 16:
      return CopyWhole<2>(copy, from, to);
    case 32:
      return CopyWhole<4>(copy, from, to);
    case 64:
      return CopyWhole<8>(copy, from, to);
    default:
      return CopyWhole<16>(copy, from, to);
  }
}

void CopyElements(int bits, const void* input, int64_t in_offset, int64_t count, void* output,
                  int64_t out_offset) noexcept {
  if (count == 0) return;
  const auto* from = static_cast<const uint8_t*>(input);
  auto* to = static_cast<uint8_t*>(output);
  if (bits < 8) {
    for (int64_t i = 0; i < count; ++i) SetPacked(to, bits, out_offset + i, Packed(from, bits, in_offset + i));
    return;
  }
  const int64_t bytes = bits / 8;
  std::memcpy(to + out_offset * bytes, from + in_offset * bytes, static_cast<size_t>(count * bytes));
}

void FillElements(int bits, const void* value, int64_t count, void* output) noexcept {
  if (count == 0) return;
  auto* to = static_cast<uint8_t*>(output);
  const auto* element = static_cast<const uint8_t*>(value);
  if (bits < 8) {
    for (int64_t i = 0; i < count; ++i) SetPacked(to, bits, i, Packed(element, bits, 0));
    return;
  }
  if (bits == 8) {
    std::memset(to, *element, static_cast<size_t>(count));
    return;
  }
  const auto bytes = static_cast<size_t>(bits / 8);
  if (std::all_of(element, element + bytes, [&](uint8_t byte) { return byte == *element; })) {
    std::memset(to, *element, static_cast<size_t>(count) * bytes);
    return;
  }
  for (int64_t i = 0; i < count; ++i) std::memcpy(to + static_cast<size_t>(i) * bytes, element, bytes);
}

}  // namespace assay::kernels::ref
