// SPACE_TO_DEPTH, DEPTH_TO_SPACE, SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND: blocks of pixels become channels or batches,
// and back.
#include "graph/ops/space_to_depth.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "ops/checks.h"
#include "ops/copy_plan.h"
#include "ops/ops.h"

namespace assay::ops {
namespace {

int32_t BlockSize(const PrepareContext& context) {
  const int32_t block = context.op().attributes.As<graph::SpaceToDepthAttributes>().block_size;
  if (block < 1) throw InputError("block_size is {}", block);
  return block;
}

// The blocked array is [n, h, w, block, block, c] of pixels, each pixel's place in space at (h * block + i, w * block +
// j). `wide` has block x block more channels, `broad` the larger image.
struct Blocked {
  int64_t n, h, w, block, c;
};

std::vector<CopyAxis> BlockAxes(const Blocked& g, bool to_depth) {
  const int64_t wide_c = g.block * g.block * g.c, broad_w = g.w * g.block;
  std::vector<CopyAxis> axes = {
      {g.n, g.h * g.block * broad_w * g.c, g.h * g.w * wide_c},
      {g.h, g.block * broad_w * g.c, g.w * wide_c},
      {g.block, broad_w * g.c, g.block * g.c},
      {g.w, g.block * g.c, wide_c},
      {g.block, g.c, g.c},
      {g.c, 1, 1},
  };
  if (!to_depth) {
    for (CopyAxis& axis : axes) std::swap(axis.in_stride, axis.out_stride);
  }
  return axes;
}

struct Blocks {
  std::vector<int64_t> size, before, after;  // per dimension of space; what is padded or cropped there
};

Blocks ReadBlocks(const PrepareContext& context, const char* what) {
  const TensorRef &input = context.Input(0), &block = context.Input(1), &border = context.Input(2);
  CheckRank(input, "input", 3, 4);
  const int space = input.shape.rank() - 2;
  if (block.shape != Shape{space}) {
    throw InputError("block_shape has the shape {}, expected [{}]", block.shape.ToString(), space);
  }
  if (border.shape != Shape{space, 2}) {
    throw InputError("{} has the shape {}, expected [{},2]", what, border.shape.ToString(), space);
  }
  Blocks blocks;
  blocks.size = IntegerValues(context, 1, "block_shape");
  const std::vector<int64_t> values = IntegerValues(context, 2, what);
  for (size_t d = 0; d < blocks.size.size(); ++d) {
    const int64_t before = values[2 * d], after = values[2 * d + 1];
    if (blocks.size[d] < 1 || blocks.size[d] > INT32_MAX) throw InputError("block_shape has {}", blocks.size[d]);
    if (before < 0 || before > INT32_MAX || after < 0 || after > INT32_MAX) {
      throw InputError("{} of dimension {} are ({}, {})", what, d + 1, before, after);
    }
    blocks.before.push_back(before), blocks.after.push_back(after);
  }
  return blocks;
}

// What one place (i, j, ...) within the blocks copies: of the batches' axis, of space and of the channels. Along
// dimension d the block's pixels lie at i + k * block - before in the image, for k where that is inside of it.
struct Window {
  int64_t first = 0, count = 0;  // of k
};
Window Inside(int64_t i, int64_t block, int64_t before, int64_t image, int64_t blocks) {
  const int64_t first = before > i ? (before - i + block - 1) / block : 0;
  const int64_t reach = before + image - i;  // k * block < reach
  const int64_t end = reach <= 0 ? 0 : std::min(blocks, (reach + block - 1) / block);
  return {first, std::max<int64_t>(end - first, 0)};
}

// `image` is the array with fewer batches, `blocked` the one with a batch for each place within a block.
std::vector<kernels::ref::StridedCopy> BlockCopies(const Shape& image, const Shape& blocked, const Blocks& blocks,
                                                   bool to_batch) {
  const std::vector<int64_t> image_strides = RowMajorStrides(image), blocked_strides = RowMajorStrides(blocked);
  const int rank = image.rank(), space = rank - 2;
  std::vector<kernels::ref::StridedCopy> copies;
  const int64_t places = image[0] == 0 ? 0 : blocked[0] / image[0];
  for (int64_t place = 0; place < places; ++place) {
    std::vector<CopyAxis> axes = {{image[0], image_strides[0], blocked_strides[0]}};
    int64_t image_offset = 0, blocked_offset = place * image[0] * blocked_strides[0], rest = place;
    for (int d = space; d > 0; --d) {
      const auto at = static_cast<size_t>(d);
      const int64_t block = blocks.size[at - 1], i = rest % block;
      rest /= block;
      const Window window = Inside(i, block, blocks.before[at - 1], image[d], blocked[d]);
      axes.insert(axes.begin() + 1, {window.count, block * image_strides[at], blocked_strides[at]});
      image_offset += (i + window.first * block - blocks.before[at - 1]) * image_strides[at];
      blocked_offset += window.first * blocked_strides[at];
    }
    axes.push_back({image[rank - 1], 1, 1});
    if (std::any_of(axes.begin(), axes.end(), [](const CopyAxis& axis) { return axis.size == 0; })) continue;
    if (!to_batch) {
      for (CopyAxis& axis : axes) std::swap(axis.in_stride, axis.out_stride);
    }
    copies.push_back(to_batch ? PlanCopy(axes, image_offset, blocked_offset)
                              : PlanCopy(axes, blocked_offset, image_offset));
  }
  return copies;
}

// Each place within the blocks has a copy of its own in the plan, whose size this bounds.
constexpr int64_t kMaxPlaces = int64_t{1} << 16;

}  // namespace

RunFn PrepareSpaceToDepth(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 4, 4);
  const int32_t block = BlockSize(context);
  if (input.shape[1] % block != 0 || input.shape[2] % block != 0) {
    throw InputError("input {} cannot be cut into blocks of {}", input.shape.ToString(), block);
  }
  const int64_t channels = int64_t{block} * block * input.shape[3];
  if (int64_t{block} * block > INT32_MAX) throw InputError("block_size is {}", block);
  const Shape shape = {input.shape[0], input.shape[1] / block, input.shape[2] / block,
                       ShapeFrom({&channels, 1}, "output")[0]};
  context.SetOutputShape(0, shape);
  const auto axes = BlockAxes({shape[0], shape[1], shape[2], block, input.shape[3]}, /*to_depth=*/true);
  return [bits, copy = PlanCopy(axes)](const RunContext& run) { CopyPlanned(run, copy, bits); };
}

RunFn PrepareDepthToSpace(PrepareContext& context) {
  CheckArity(context, 1, 1, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  CheckRank(input, "input", 4, 4);
  const int64_t block = BlockSize(context);
  if (input.shape[3] % (block * block) != 0) {
    throw InputError("the {} channels of input {} are no blocks of {} x {}", input.shape[3], input.shape.ToString(),
                     block, block);
  }
  const int64_t dims[] = {input.shape[0], input.shape[1] * block, input.shape[2] * block,
                          input.shape[3] / (block * block)};
  const Shape shape = ShapeFrom(dims, "output");
  context.SetOutputShape(0, shape);
  const auto axes = BlockAxes({shape[0], input.shape[1], input.shape[2], block, shape[3]}, /*to_depth=*/false);
  return [bits, copy = PlanCopy(axes)](const RunContext& run) { CopyPlanned(run, copy, bits); };
}

RunFn PrepareSpaceToBatchNd(PrepareContext& context) {
  CheckArity(context, 3, 3, 1);
  const TensorRef &input = context.Input(0), &output = context.Output(0);
  const int bits = MovedBits(context, input, "input");
  if (IsQuantizedInteger(input.dtype)) CheckSameQuantization(input, "input", output, "output");
  const Blocks blocks = ReadBlocks(context, "paddings");
  std::vector<int64_t> dims(input.shape.dims().begin(), input.shape.dims().end());
  int64_t places = 1;
  for (size_t d = 0; d < blocks.size.size(); ++d) {
    const int64_t padded = dims[d + 1] + blocks.before[d] + blocks.after[d];
    if (padded % blocks.size[d] != 0) {
      throw InputError("dimension {} of input {}, padded to {}, cannot be cut into blocks of {}", d + 1,
                       input.shape.ToString(), padded, blocks.size[d]);
    }
    dims[d + 1] = padded / blocks.size[d];
    places *= blocks.size[d];
    if (places > kMaxPlaces) throw InputError("block_shape has more than {} places", kMaxPlaces);
  }
  dims[0] *= places;
  const Shape shape = ShapeFrom(dims, "output");
  context.SetOutputShape(0, shape);
  std::array<uint8_t, 16> zero = {};
  const auto zero_point = static_cast<int16_t>(bits <= 16 ? SingleZeroPoint(output) : 0);
  std::memcpy(zero.data(), &zero_point, sizeof(zero_point));
  return [bits, zero, count = shape.NumElements(),
          copies = BlockCopies(input.shape, shape, blocks, /*to_batch=*/true)](const RunContext& run) {
    kernels::ref::FillElements(bits, zero.data(), count, RawOutput(run, 0));
    for (const auto& copy : copies) CopyPlanned(run, copy, bits);
  };
}

RunFn PrepareBatchToSpaceNd(PrepareContext& context) {
  CheckArity(context, 3, 3, 1);
  const TensorRef& input = context.Input(0);
  const int bits = MovedBits(context, input, "input");
  if (IsQuantizedInteger(input.dtype)) CheckSameQuantization(input, "input", context.Output(0), "output");
  const Blocks blocks = ReadBlocks(context, "crops");
  std::vector<int64_t> dims(input.shape.dims().begin(), input.shape.dims().end());
  int64_t places = 1;
  for (size_t d = 0; d < blocks.size.size(); ++d) {
    const int64_t whole = dims[d + 1] * blocks.size[d];
    dims[d + 1] = whole - blocks.before[d] - blocks.after[d];
    if (dims[d + 1] < 0) {
      throw InputError("crops ({}, {}) leave nothing of dimension {}, which is {}", blocks.before[d], blocks.after[d],
                       d + 1, whole);
    }
    places *= blocks.size[d];
    if (places > kMaxPlaces) throw InputError("block_shape has more than {} places", kMaxPlaces);
  }
  if (dims[0] % places != 0) throw InputError("{} batches are no blocks of {} places", dims[0], places);
  dims[0] /= places;
  const Shape shape = ShapeFrom(dims, "output");
  context.SetOutputShape(0, shape);
  return [bits, copies = BlockCopies(shape, input.shape, blocks, /*to_batch=*/false)](const RunContext& run) {
    for (const auto& copy : copies) CopyPlanned(run, copy, bits);
  };
}

}  // namespace assay::ops
