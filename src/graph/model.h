// The one in-memory form of a model. What a reader returns has passed `format`'s verification: every index is in range,
// every shape's product fits, constant data has the size that its type and shape say.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "graph/attributes.h"
#include "graph/builtin_op.h"
#include "tensor/dtype.h"
#include "tensor/quantization.h"
#include "tensor/shape.h"

namespace assay::graph {

inline constexpr int32_t kNoTensor = -1;  // an optional operand that is absent

// Bytes that live in the model's file or in memory of their own; copies share them.
class Constant {
 public:
  Constant() = default;
  Constant(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}
  template <typename T = uint8_t>
  static Constant Own(std::vector<T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    auto owned = std::make_shared<const std::vector<T>>(std::move(values));
    return Constant({reinterpret_cast<const uint8_t*>(owned->data()), owned->size() * sizeof(T)}, owned);
  }
  // Weights of a source file that `owner` holds open. Few bytes are copied: a bias, which outlives the kernels that are
  // rearranged, shall not keep the whole file in memory.
  static Constant OfFile(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner) {
    constexpr size_t kCopied = size_t{1} << 16;
    return bytes.size() <= kCopied ? Own(std::vector<uint8_t>(bytes.begin(), bytes.end()))
                                   : Constant(bytes, std::move(owner));
  }
  std::span<const uint8_t> bytes() const { return bytes_; }
  // The first `count` bytes, sharing the same memory.
  Constant First(size_t count) const { return Constant(bytes_.first(count), owner_); }

  // What float32 values were before they were rounded, where an importer knows it: what is computed from them need not
  // round twice. Null where nobody does.
  const std::vector<double>* exact() const { return exact_.get(); }
  Constant WithExact(std::vector<double> values) const {
    Constant constant = *this;
    constant.exact_ = std::make_shared<const std::vector<double>>(std::move(values));
    return constant;
  }

 private:
  std::span<const uint8_t> bytes_;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<const std::vector<double>> exact_;
};

// Compressed storage of a constant, as the format describes it (see SparsityParameters in the schema).
struct Sparsity {
  struct Dimension {
    bool sparse_csr = false;
    int32_t dense_size = 0;
    std::vector<int32_t> segments, indices;
    int segments_type = 0, indices_type = 0;  // the schema's SparseIndexVector member: Int32, Uint16 or Uint8
    bool operator==(const Dimension&) const = default;
  };
  std::vector<int32_t> traversal_order, block_map;
  std::vector<Dimension> dimensions;
  bool operator==(const Sparsity&) const = default;
};

// Blockwise quantization: scales (and zero points) are tensors of their own.
struct BlockwiseQuantization {
  int32_t scales = kNoTensor, zero_points = kNoTensor;  // tensor indices in the same subgraph
  int32_t block_size = 0;
  std::vector<int32_t> block_shape;
  bool operator==(const BlockwiseQuantization&) const = default;
};

// Quantization along several dimensions at once; scales and zero points are tensors of their own.
struct MultiAxisQuantization {
  int32_t scales = kNoTensor, zero_points = kNoTensor;  // tensor indices in the same subgraph
  int32_t block_size = 0;
  std::vector<int32_t> quantized_dimensions;
  bool operator==(const MultiAxisQuantization&) const = default;
};

struct VariantSubtype {
  Shape shape;
  DType dtype = DType::kFloat32;
  bool has_rank = false;
  bool operator==(const VariantSubtype&) const = default;
};

struct Tensor {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;                                          // what the file says; a dynamic dimension is stored as 1 here
  std::optional<std::vector<int32_t>> shape_signature;  // -1 marks a dynamic dimension
  bool has_rank = false;                                // the format's flag, kept for the round trip
  bool is_variable = false;
  Quantization quantization;
  std::optional<BlockwiseQuantization> blockwise;
  std::optional<MultiAxisQuantization> multi_axis;
  std::vector<uint8_t> custom_quantization;  // CustomQuantization's bytes
  std::optional<Sparsity> sparsity;
  std::vector<VariantSubtype> variant_tensors;
  std::optional<Constant> data;  // set for constants, an empty one included
  uint32_t external_buffer = 0;  // the format's id of a buffer kept outside of the file
};

struct Operator {
  BuiltinOp code = BuiltinOp::kAdd;
  std::string custom_code;  // the op's name where code is kCustom
  int32_t version = 1;
  std::vector<int32_t> inputs, outputs, intermediates;  // tensor indices; inputs may be kNoTensor
  std::vector<bool> mutating_variable_inputs;
  Attributes attributes;
  std::string options_table;  // the table that the file used; "" where it gave none
  std::vector<uint8_t> custom_options;
  int32_t debug_metadata_index = -1;

  std::string_view Name() const { return code == BuiltinOp::kCustom ? custom_code : BuiltinOpName(code); }
};

struct Subgraph {
  std::string name;
  std::vector<Tensor> tensors;
  std::vector<Operator> operators;  // in the order of execution
  std::vector<int32_t> inputs, outputs;
  int32_t debug_metadata_index = -1;
};

struct SignatureTensor {
  std::string name;
  int32_t tensor = 0;
  bool operator==(const SignatureTensor&) const = default;
};

// The tensors exist in the subgraph; a model that was cut after its conversion may name some that are no longer among
// the subgraph's inputs and outputs (the reader then warns).
struct Signature {
  std::string key;
  int32_t subgraph = 0;
  std::vector<SignatureTensor> inputs, outputs;
};

struct Metadata {
  std::string name;
  Constant data;
};

// A buffer kept in a file of its own, as the format describes it.
struct ExternalBuffer {
  uint32_t id = 0, group = 0;  // `group` is an index into Model::external_buffer_groups
  uint64_t offset = 0, length = 0;
  std::string packing;
  bool operator==(const ExternalBuffer&) const = default;
};

struct Model {
  std::string source;  // the file's path, for messages
  uint32_t version = 3;
  std::string description;
  std::vector<Subgraph> subgraphs;  // [0] is the main one
  std::vector<Signature> signatures;
  std::vector<Metadata> metadata;
  std::vector<Constant> legacy_metadata;  // the nameless list that preceded `metadata`
  std::vector<std::string> external_buffer_groups;
  std::vector<ExternalBuffer> external_buffers;
  Constant appended_archive;  // a ZIP file behind the model (its label files); offsets count from the archive's start
  std::vector<std::string> warnings;  // what the reader found worth saying
  bool has_unknown_fields = false;    // written by a newer version: may be run, not rewritten
  uint64_t file_bytes = 0;
};

}  // namespace assay::graph
