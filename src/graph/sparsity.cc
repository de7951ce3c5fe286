#include "graph/sparsity.h"

#include <cstring>

#include "base/error.h"

namespace assay::graph {
namespace {

// Walks the levels from the outermost; `stored` counts the entries of a level, and in the end the stored elements.
struct Expansion {
  const Sparsity& sparsity;
  const Shape& shape;
  size_t element_bytes;
  std::span<const uint8_t> from;
  std::span<uint8_t> to;
  std::vector<int64_t> index;  // per level

  void Walk(size_t level, int64_t stored) {
    if (level == index.size()) {
      std::memcpy(to.data() + static_cast<size_t>(Position()) * element_bytes,
                  from.data() + static_cast<size_t>(stored) * element_bytes, element_bytes);
      return;
    }
    const Sparsity::Dimension& dimension = sparsity.dimensions[level];
    if (!dimension.sparse_csr) {
      for (int32_t i = 0; i < dimension.dense_size; ++i) {
        index[level] = i;
        Walk(level + 1, stored * dimension.dense_size + i);
      }
      return;
    }
    const int32_t begin = dimension.segments[static_cast<size_t>(stored)];
    const int32_t end = dimension.segments[static_cast<size_t>(stored) + 1];
    for (int32_t i = begin; i < end; ++i) {
      index[level] = dimension.indices[static_cast<size_t>(i)];
      Walk(level + 1, i);
    }
  }

  // Row-major position of the element that the levels' indices name: block index * block size + index within.
  int64_t Position() const {
    const auto rank = static_cast<size_t>(shape.rank());
    std::vector<int64_t> at(rank);
    for (size_t l = 0; l < rank; ++l) at[static_cast<size_t>(sparsity.traversal_order[l])] = index[l];
    for (size_t l = rank; l < index.size(); ++l) {
      const size_t block = static_cast<size_t>(sparsity.traversal_order[l]) - rank;
      int64_t& i = at[static_cast<size_t>(sparsity.block_map[block])];
      i = i * sparsity.dimensions[rank + block].dense_size + index[l];
    }
    int64_t position = 0;
    for (size_t d = 0; d < rank; ++d) position = position * shape[static_cast<int>(d)] + at[d];
    return position;
  }
};

}  // namespace

void ExpandSparse(const Tensor& tensor, std::span<uint8_t> dense) {
  ASSAY_CHECK(tensor.sparsity.has_value() && tensor.data.has_value());
  const int bits = DTypeBits(tensor.dtype);
  if (bits < 8)
    throw InputError("tensor '{}' is sparse and {}, which cannot be expanded", tensor.name, DTypeName(tensor.dtype));
  if (dense.empty()) return;
  Expansion expansion = {.sparsity = *tensor.sparsity,
                         .shape = tensor.shape,
                         .element_bytes = static_cast<size_t>(bits / 8),
                         .from = tensor.data->bytes(),
                         .to = dense,
                         .index = std::vector<int64_t>(tensor.sparsity->dimensions.size())};
  expansion.Walk(0, 0);
}

}  // namespace assay::graph
