#include "graph/sparsity_verifier.h"

#include "base/error.h"

namespace assay::graph {

// The tensor is cut into blocks along the dimensions of `block_map`; then its levels are the original dimensions (now
// counting blocks) in the order of `traversal_order`, followed by the dimensions within a block.
uint64_t CheckSparsity(const Sparsity& sparsity, const Shape& shape) {
  const auto rank = static_cast<size_t>(shape.rank());
  const size_t blocks = sparsity.block_map.size(), levels = sparsity.dimensions.size();
  if (levels != rank + blocks) {
    throw InputError("{} levels for {} dimensions and {} block dimensions", levels, rank, blocks);
  }
  if (sparsity.traversal_order.size() != levels) {
    throw InputError("an order of traversal of {} entries for {} levels", sparsity.traversal_order.size(), levels);
  }
  std::vector<bool> seen(levels, false);
  for (size_t l = 0; l < levels; ++l) {
    const int32_t d = sparsity.traversal_order[l];
    if (d < 0 || static_cast<size_t>(d) >= levels || seen[static_cast<size_t>(d)] ||
        (static_cast<size_t>(d) < rank) != (l < rank)) {
      throw InputError("entry {} of the order of traversal is {}", l, d);
    }
    seen[static_cast<size_t>(d)] = true;
  }
  std::vector<int32_t> extent(levels);
  for (size_t d = 0; d < rank; ++d) extent[d] = shape[static_cast<int>(d)];
  std::vector<bool> blocked(rank, false);
  for (size_t b = 0; b < blocks; ++b) {
    const int32_t d = sparsity.block_map[b];
    if (d < 0 || static_cast<size_t>(d) >= rank || blocked[static_cast<size_t>(d)]) {
      throw InputError("entry {} of the block map is {}", b, d);
    }
    blocked[static_cast<size_t>(d)] = true;
    const Sparsity::Dimension& block = sparsity.dimensions[rank + b];
    if (block.sparse_csr) throw InputError("level {} lies within a block and is not dense", rank + b);
    int32_t& size = extent[static_cast<size_t>(d)];
    if (block.dense_size <= 0 || size % block.dense_size != 0) {
      throw InputError("blocks of {} along a dimension of {}", block.dense_size, size);
    }
    size /= block.dense_size;
    extent[rank + b] = block.dense_size;
  }

  uint64_t stored = 1;
  for (size_t l = 0; l < levels; ++l) {
    const Sparsity::Dimension& level = sparsity.dimensions[l];
    const int32_t size = extent[static_cast<size_t>(sparsity.traversal_order[l])];
    if (!level.sparse_csr) {
      if (level.dense_size != size) throw InputError("level {} has size {} instead of {}", l, level.dense_size, size);
      // At most the elements of the dense shape, as each level keeps at most `size` of each of its parent's entries.
      stored *= static_cast<uint64_t>(size);
      continue;
    }
    if (level.segments.size() != stored + 1) {
      throw InputError("level {} has {} segments instead of {}", l, level.segments.size(), stored + 1);
    }
    if (level.segments.front() != 0 || level.segments.back() < 0 ||
        static_cast<size_t>(level.segments.back()) != level.indices.size()) {
      throw InputError("the segments of level {} do not span its {} indices", l, level.indices.size());
    }
    for (size_t s = 0; s + 1 < level.segments.size(); ++s) {
      const int32_t begin = level.segments[s], end = level.segments[s + 1];
      if (end < begin || end > level.segments.back())
        throw InputError("segment {} of level {} ends before it begins", s, l);
      for (int32_t i = begin; i < end; ++i) {
        const int32_t index = level.indices[static_cast<size_t>(i)];
        if (index < 0 || index >= size || (i > begin && index <= level.indices[static_cast<size_t>(i) - 1])) {
          throw InputError("index {} of level {} is {}, out of order or of the range of {}", i, l, index, size);
        }
      }
    }
    stored = level.indices.size();
  }
  return stored;
}

}  // namespace assay::graph
