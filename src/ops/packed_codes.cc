#include "ops/packed_codes.h"

#include <algorithm>

#include "ops/matrix_operands.h"

namespace assay::ops {
namespace {

// The zero point of SignedCodes.
int32_t ZeroOfSignedCodes(const TensorRef& weights, int32_t zero_point) {
  return weights.dtype == DType::kUInt8 ? zero_point - 128 : zero_point;
}

bool AnyNonzero(const std::vector<int8_t>& codes) {
  int32_t all = 0;
  for (const int8_t code : codes) all |= code;
  return all != 0;
}

// One key for a number and a zero point, which is a code.
size_t KeyOfCount(size_t count, int32_t zero_point) { return count * 512 + static_cast<size_t>(zero_point + 256); }

// Whether what PackProduct made has the sizes and indices that kernels count on.
bool IsWholeProduct(const PackedCodes& packed, size_t outputs, const Lines& lines) {
  const size_t padded_outputs = kernels::simd::PaddedOutputs(outputs);
  if (packed.codes.size() != padded_outputs * lines.padded() || packed.sums.size() != outputs ||
      !packed.more_codes.empty() || !packed.more_groups.empty()) {
    return false;
  }
  const std::vector<uint32_t>& begin = packed.corrections_begin;
  if (begin.empty() || packed.corrections.empty()) return begin.empty() && packed.corrections.empty();
  const size_t groups = lines.padded() / lines.count / kernels::simd::kDepthGroup;
  return begin.size() == padded_outputs / kernels::simd::kChannelBlock + 1 && begin.front() == 0 &&
         begin.back() == packed.corrections.size() && std::is_sorted(begin.begin(), begin.end()) &&
         std::all_of(packed.corrections.begin(), packed.corrections.end(), [&](const auto& correction) {
           return correction.line < lines.count && correction.group < groups;
         });
}

// What tells the taps of some groups from other ones' of the same filter, where lines and groups are not too long.
size_t KeyOfGroups(const GroupTaps& groups, const Lines& lines, int32_t zero_point) {
  size_t key = groups.by_tap ? static_cast<size_t>(groups.first) : 0;
  key = (key * kMostGroupOutputs + static_cast<size_t>(groups.outputs)) * 2 + (groups.by_tap ? 1 : 0);
  return KeyOfCount(key * kMostPhaseTaps + lines.count, zero_point);
}

// [outputs, lines] of weights that hold each group's inputs alone.
std::vector<int8_t> GatherGroupTaps(const GroupTaps& groups, size_t outputs, const Lines& lines, int8_t zero,
                                    const int8_t* weights) {
  const size_t depth = lines.count * lines.depth, first = static_cast<size_t>(groups.first);
  const auto group_outputs = static_cast<size_t>(groups.outputs), inputs = static_cast<size_t>(groups.inputs);
  const size_t first_group = first / group_outputs;
  const size_t channels = ((first + outputs - 1) / group_outputs - first_group + 1) * inputs, taps = depth / channels;
  std::vector<int8_t> gathered(outputs * depth, zero);
  for (size_t o = 0; o < outputs; ++o) {
    const size_t group = (first + o) / group_outputs - first_group;
    for (size_t t = 0; t < taps; ++t) {
      int8_t* to = gathered.data() + o * depth + t * channels + group * inputs;
      for (size_t i = 0; i < inputs; ++i) {
        to[i] = groups.by_tap ? weights[(t * inputs + i) * static_cast<size_t>(groups.channels) + first + o]
                              : weights[(o * taps + t) * inputs + i];
      }
    }
  }
  return gathered;
}

}  // namespace

size_t KeyOf(const kernels::simd::TransposeConvPhase& phase, int32_t zero_point) {
  size_t key = 0;
  for (const kernels::simd::AxisTaps& taps : {phase.rows, phase.columns}) {
    for (const int32_t number : {taps.size, taps.step, taps.first}) {
      key = key * kMostPhaseTaps + static_cast<size_t>(number);
    }
  }
  return KeyOfCount(key, zero_point);
}

SharedCodes PackZeros(size_t outputs, const Lines& lines) {
  PackedCodes packed;
  packed.codes = AlignedVector<int8_t>(kernels::simd::PaddedOutputs(outputs) * lines.padded());
  packed.sums.resize(outputs);
  return std::make_shared<const PackedCodes>(std::move(packed));
}

std::vector<int8_t> SignedCodes(const TensorRef& weights) {
  std::vector<int8_t> codes(static_cast<size_t>(weights.size()));
  switch (weights.dtype) {
    case DType::kInt4:
      UnpackInt4(weights.data, weights.size(), codes.data());
      break;
    case DType::kUInt8:
      for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<int8_t>(weights.data[i] ^ 0x80);
      break;
    default:
      std::copy_n(reinterpret_cast<const int8_t*>(weights.data), codes.size(), codes.begin());
  }
  return codes;
}

SharedCodes PackProduct(const TensorRef& weights, size_t outputs, const Lines& lines, int32_t zero_point,
                        const kernels::simd::TransposeConvPhase* phase, const GroupTaps* groups) {
  const size_t columns = phase != nullptr    ? KeyOf(*phase, zero_point)
                         : groups != nullptr ? KeyOfGroups(*groups, lines, zero_point)
                                             : KeyOfCount(lines.count, zero_point);
  const auto pack = [&] {
    const size_t depth = lines.count * lines.depth,
                 blocks = kernels::simd::PaddedOutputs(outputs) / kernels::simd::kChannelBlock;
    // int8 codes are packed as they stand: copies of large weights cost more than packing.
    std::vector<int8_t> copied = weights.dtype == DType::kInt8 ? std::vector<int8_t>() : SignedCodes(weights);
    const int8_t* codes = copied.empty() ? reinterpret_cast<const int8_t*>(weights.data) : copied.data();
    if (phase != nullptr) {
      std::vector<int8_t> taps(outputs * depth);
      kernels::simd::GatherTaps(*phase, static_cast<int64_t>(outputs), phase->geometry.input_c, codes, taps.data());
      copied = std::move(taps), codes = copied.data();
    }
    const int32_t zero = ZeroOfSignedCodes(weights, zero_point);
    if (groups != nullptr) {
      copied = GatherGroupTaps(*groups, outputs, lines, static_cast<int8_t>(zero), codes), codes = copied.data();
    }
    PackedCodes packed;
    packed.sums.resize(outputs);
    for (size_t o = 0; o < outputs; ++o) {
      uint32_t sum = 0;
      for (size_t k = 0; k < depth; ++k) sum += static_cast<uint32_t>(codes[o * depth + k] - zero);
      packed.sums[o] = sum;
    }
    std::vector<std::vector<kernels::simd::Correction8Bit>> corrections(blocks);
    if (zero == 0) {
      AlignedVector<int8_t> in_order(kernels::simd::PaddedOutputs(outputs) * lines.padded());
      kernels::simd::PackWeights8Bit(outputs, lines.count, lines.depth, codes, in_order.data());
      packed.codes = std::move(in_order);
      return packed;
    }
    std::vector<int8_t> part(outputs * depth);
    std::vector<int16_t> left(part.size());  // of the differences, after the parts so far
    for (size_t i = 0; i < left.size(); ++i) left[i] = static_cast<int16_t>(codes[i] - zero);
    for (size_t p = 0; p < kernels::simd::kWeightParts; ++p) {
      for (size_t i = 0; i < left.size(); ++i) {
        part[i] = kernels::simd::WeightPart(left[i]);
        left[i] = static_cast<int16_t>(left[i] - part[i]);
      }
      if (p > 0 && !AnyNonzero(part)) break;
      AlignedVector<int8_t> in_order(kernels::simd::PaddedOutputs(outputs) * lines.padded());
      kernels::simd::PackWeights8Bit(outputs, lines.count, lines.depth, part.data(), in_order.data());
      if (p == 0) {
        packed.codes = std::move(in_order);
        continue;
      }
      kernels::simd::ForCorrections(
          outputs, lines.count, lines.depth, in_order.data(),
          [&](size_t block, const kernels::simd::Correction8Bit& c) { corrections[block].push_back(c); });
    }
    for (const auto& of_block : corrections) {
      packed.corrections_begin.push_back(static_cast<uint32_t>(packed.corrections.size()));
      packed.corrections.insert(packed.corrections.end(), of_block.begin(), of_block.end());
    }
    packed.corrections_begin.push_back(static_cast<uint32_t>(packed.corrections.size()));
    if (packed.corrections.empty()) packed.corrections_begin.clear();
    return packed;
  };
  using Layout = PackedCache::Layout;
  const Layout layout = phase != nullptr ? Layout::kPhase : groups != nullptr ? Layout::kGroups : Layout::kProduct;
  return SharePacked(weights, outputs, columns, layout, pack,
                     [&](const PackedCodes& packed) { return IsWholeProduct(packed, outputs, lines); });
}

kernels::simd::Matrix8Bit MatrixOf(const PackedCodes& packed, size_t outputs, const Lines& lines) {
  kernels::simd::Matrix8Bit matrix = {};
  matrix.outputs = outputs, matrix.lines = lines.count, matrix.line_depth = lines.depth;
  matrix.weights = packed.codes.data();
  if (!packed.corrections.empty()) {
    matrix.corrections = packed.corrections.data();
    matrix.corrections_begin = packed.corrections_begin.data();
  }
  return matrix;
}

SharedCodes PackDepthwise(const TensorRef& weights, const kernels::simd::DepthwiseLayout& layout, size_t lanes,
                          size_t channels, size_t taps, int32_t zero_point) {
  const auto pack = [&] {
    const std::vector<int8_t> codes = SignedCodes(weights);
    const int32_t zero = ZeroOfSignedCodes(weights, zero_point);
    PackedCodes packed;
    AlignedVector<int8_t> first(layout.weight_bytes()), more;
    packed.sums.resize(lanes);
    for (size_t c = 0; c < lanes; ++c) {
      for (size_t t = 0; t < taps; ++t) {
        const int32_t difference = codes[t * channels + c % channels] - zero;
        const auto parts = kernels::simd::WeightParts(difference);
        first[layout.WeightAt(c, t)] = parts[0];
        packed.sums[c] += static_cast<uint32_t>(difference);
        if (parts[2] != 0) return PackedCodes();
        if (parts[1] == 0) continue;
        more.resize(layout.weight_bytes());
        packed.more_groups.resize(layout.flag_count());
        more[layout.WeightAt(c, t)] = parts[1];
        packed.more_groups[layout.FlagAt(c, t)] = 1;
      }
    }
    packed.codes = std::move(first), packed.more_codes = std::move(more);
    return packed;
  };
  const auto is_whole = [&](const PackedCodes& packed) {
    if (!packed.corrections.empty() || !packed.corrections_begin.empty()) return false;
    if (packed.codes.empty()) return packed.sums.empty() && packed.more_codes.empty() && packed.more_groups.empty();
    const bool has_more = !packed.more_groups.empty();
    return packed.codes.size() == layout.weight_bytes() && packed.sums.size() == lanes &&
           packed.more_groups.size() == (has_more ? layout.flag_count() : 0) &&
           packed.more_codes.size() == (has_more ? layout.weight_bytes() : 0);
  };
  const size_t key = 8 * taps + layout.window();
  return SharePacked(weights, lanes, KeyOfCount(key, zero_point), PackedCache::Layout::kDepthwise, pack, is_whole);
}

std::shared_ptr<const std::vector<int8_t>> ShareCodes(const TensorRef& weights) {
  const auto count = static_cast<size_t>(weights.size());
  return SharePacked(
      weights, count, 1, PackedCache::Layout::kCodes, [&] { return SignedCodes(weights); },
      [&](const std::vector<int8_t>& codes) { return codes.size() == count; });
}

}  // namespace assay::ops
