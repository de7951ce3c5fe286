#include "format/tflite/writer.h"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "format/tflite/appended_archive.h"
#include "format/tflite/options.h"
#include "format/tflite/schema_generated.h"
#include "graph/verifier.h"

namespace assay::tflite {
namespace {

using flatbuffers::Offset;
using graph::Constant;
template <typename T>
using Offsets = std::vector<Offset<T>>;

constexpr uint64_t kBufferAlignment = 16;
constexpr uint64_t kMostTableBytes = FLATBUFFERS_MAX_BUFFER_SIZE - (uint64_t{16} << 20);
// Tools that read metadata look for it inside of the tables only.
constexpr uint64_t kMostInlineMetadata = uint64_t{16} << 20;

// The parts of a file, in order.
struct Parts {
  flatbuffers::DetachedBuffer tables;
  std::vector<Constant> parts;  // padding included
};

// More than the tables of `model` take, without constants and metadata.
uint64_t TableBytesAtMost(const graph::Model& model) {
  uint64_t bytes = 4096 + model.description.size();
  const auto ints = [](const auto& list) { return 16 + uint64_t{8} * list.size(); };
  for (const graph::Subgraph& subgraph : model.subgraphs) {
    bytes += 256 + subgraph.name.size() + ints(subgraph.inputs) + ints(subgraph.outputs);
    for (const graph::Tensor& tensor : subgraph.tensors) {
      const Quantization& q = tensor.quantization;
      bytes += 512 + tensor.name.size() + ints(tensor.shape.dims()) + ints(q.scale) + ints(q.zero_point) + ints(q.min) +
               ints(q.max) + tensor.custom_quantization.size();
      if (tensor.shape_signature) bytes += ints(*tensor.shape_signature);
      if (tensor.blockwise) bytes += ints(tensor.blockwise->block_shape);
      if (tensor.multi_axis) bytes += ints(tensor.multi_axis->quantized_dimensions);
      for (const graph::VariantSubtype& variant : tensor.variant_tensors) bytes += 64 + ints(variant.shape.dims());
      if (tensor.sparsity) {
        bytes += ints(tensor.sparsity->traversal_order) + ints(tensor.sparsity->block_map);
        for (const auto& level : tensor.sparsity->dimensions) bytes += 128 + ints(level.segments) + ints(level.indices);
      }
    }
    for (const graph::Operator& op : subgraph.operators) {
      bytes += 256 + op.custom_code.size() + ints(op.inputs) + ints(op.outputs) + ints(op.intermediates) +
               op.mutating_variable_inputs.size() + op.custom_options.size();
      for (const graph::Attributes::Field& field : op.attributes.fields()) {
        bytes += 32 + std::visit(
                          [](const auto& value) -> uint64_t {
                            if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>)
                              return 8;
                            else
                              return 8 * uint64_t{value.size()};
                          },
                          field.value);
      }
    }
  }
  for (const graph::Signature& signature : model.signatures) {
    bytes += 128 + signature.key.size();
    for (const auto* list : {&signature.inputs, &signature.outputs}) {
      for (const graph::SignatureTensor& entry : *list) bytes += 64 + entry.name.size();
    }
  }
  for (const graph::Metadata& metadata : model.metadata) bytes += 64 + metadata.name.size();
  for (const std::string& group : model.external_buffer_groups) bytes += 64 + group.size();
  for (const graph::ExternalBuffer& buffer : model.external_buffers) bytes += 64 + buffer.packing.size();
  return bytes;
}

class Writer {
 public:
  Writer(const graph::Model& model, const WriteOptions& options)
      : model_(model), options_(options), behind_(options.buffers_behind_tables) {}

  Parts Write() {
    if (model_.has_unknown_fields) {
      throw InputError("it holds what only a newer version of the format knows; rewriting would lose that{}",
                       model_.warnings.empty() ? "" : " (" + model_.warnings.front() + ")");
    }
    if (options_.verify) graph::Verify(model_);
    PlaceConstants();
    const auto subgraphs = WriteSubgraphs();
    const auto root = WriteRoot(subgraphs);
    builder_.Finish(root, schema::ModelIdentifier());
    Parts parts;
    parts.tables = builder_.Release();
    AppendBehind(parts);
    return parts;
  }

 private:
  struct Stored {
    Constant data;
    bool behind = false;
  };

  static std::string_view Text(const Constant& constant) {
    return {reinterpret_cast<const char*>(constant.bytes().data()), constant.bytes().size()};
  }

  // The index of the buffer that holds these bytes.
  uint32_t Store(const Constant& constant, bool behind) {
    auto& known = index_of_[behind ? 1 : 0];
    const auto [entry, added] = known.try_emplace(Text(constant), static_cast<uint32_t>(stored_.size() + 1));
    if (added) stored_.push_back({constant, behind});
    return entry->second;
  }

  // Decides where constants go and numbers them; buffer 0 stays empty, as the format wants it.
  void PlaceConstants() {
    uint64_t tables = TableBytesAtMost(model_), constants = 0;
    for (const graph::Metadata& metadata : model_.metadata) {
      const uint64_t size = metadata.data.bytes().size();
      metadata_.push_back(Store(metadata.data, size > kMostInlineMetadata));
      (size > kMostInlineMetadata ? constants : tables) += size + 64;
    }
    for (const Constant& data : model_.legacy_metadata) {
      legacy_metadata_.push_back(static_cast<int32_t>(Store(data, false)));
      tables += data.bytes().size() + 64;
    }
    for (const graph::Subgraph& subgraph : model_.subgraphs) {
      for (const graph::Tensor& tensor : subgraph.tensors) {
        if (tensor.data) constants += tensor.data->bytes().size() + 64;
      }
    }
    if (tables > kMostTableBytes) throw InputError("its tables alone take {} bytes; 2 GiB is the most", tables);
    if (tables + constants > kMostTableBytes) behind_ = true;
    // Room for all of it at once: a buffer that grows holds everything twice.
    builder_ = flatbuffers::FlatBufferBuilder(static_cast<size_t>(behind_ ? tables : tables + constants));
    for (const graph::Subgraph& subgraph : model_.subgraphs) {
      for (const graph::Tensor& tensor : subgraph.tensors) {
        if (tensor.data) Store(*tensor.data, behind_);
      }
    }
  }

  Offset<schema::Model> WriteRoot(Offset<flatbuffers::Vector<Offset<schema::SubGraph>>> subgraphs) {
    Offsets<schema::OperatorCode> codes(codes_.size());
    for (const auto& [key, index] : codes_) {
      const auto& [code, custom_code, version] = key;
      const auto name = custom_code.empty() ? Offset<flatbuffers::String>() : builder_.CreateString(custom_code);
      // Old readers know the first, 8-bit field only: there, greater numbers are 127.
      codes[index] = schema::CreateOperatorCode(builder_, static_cast<int8_t>(std::min(code, 127)), name, version,
                                                static_cast<schema::BuiltinOperator>(code));
    }
    const auto code_list = builder_.CreateVector(codes);
    const auto signatures = WriteSignatures();
    const auto metadata = WriteMetadata();
    const auto legacy =
        legacy_metadata_.empty() ? Offset<flatbuffers::Vector<int32_t>>() : builder_.CreateVector(legacy_metadata_);
    Offsets<schema::ExternalBufferGroup> groups;
    for (const std::string& group : model_.external_buffer_groups) {
      groups.push_back(schema::CreateExternalBufferGroup(builder_, builder_.CreateString(group)));
    }
    Offsets<schema::ExternalBuffer> external;
    for (const graph::ExternalBuffer& buffer : model_.external_buffers) {
      const auto packing = OptionalString(buffer.packing);
      external.push_back(
          schema::CreateExternalBuffer(builder_, buffer.id, buffer.group, buffer.offset, buffer.length, packing));
    }
    const auto group_list = OptionalVector(groups);
    const auto external_list = OptionalVector(external);
    const auto buffers = WriteBuffers();
    const auto description = OptionalString(model_.description);
    return schema::CreateModel(builder_, model_.version, code_list, subgraphs, description, buffers, legacy, metadata,
                               signatures, group_list, external_list);
  }

  Offset<flatbuffers::String> OptionalString(const std::string& text) {
    return text.empty() ? Offset<flatbuffers::String>() : builder_.CreateString(text);
  }
  template <typename T>
  Offset<flatbuffers::Vector<T>> OptionalVector(const std::vector<T>& list) {
    return list.empty() ? Offset<flatbuffers::Vector<T>>() : builder_.CreateVector(list);
  }

  Offset<flatbuffers::Vector<Offset<schema::Buffer>>> WriteBuffers() {
    Offsets<schema::Buffer> buffers = {schema::CreateBuffer(builder_)};
    for (const Stored& stored : stored_) {
      const std::span<const uint8_t> bytes = stored.data.bytes();
      // An empty constant needs its empty vector: without it the tensor would not be a constant.
      if (!stored.behind || bytes.empty()) {
        builder_.ForceVectorAlignment(bytes.size(), 1, kBufferAlignment);
        buffers.push_back(schema::CreateBuffer(builder_, builder_.CreateVector(bytes.data(), bytes.size())));
        continue;
      }
      // The offset is filled in when the size of the tables is known.
      const flatbuffers::uoffset_t start = builder_.StartTable();
      builder_.AddElement<uint64_t>(schema::Buffer::VT_OFFSET, 1);
      builder_.AddElement<uint64_t>(schema::Buffer::VT_SIZE, bytes.size());
      buffers.emplace_back(builder_.EndTable(start));
    }
    return builder_.CreateVector(buffers);
  }

  void AppendBehind(Parts& parts) {
    uint64_t at = parts.tables.size();
    const auto append = [&](Constant data) {
      const uint64_t padding = (kBufferAlignment - at % kBufferAlignment) % kBufferAlignment;
      if (padding != 0) parts.parts.push_back(Constant::Own(std::vector<uint8_t>(padding, 0)));
      at += padding;
      const uint64_t offset = at;
      at += data.bytes().size();
      parts.parts.push_back(std::move(data));
      return offset;
    };
    const auto* buffers = schema::GetModel(parts.tables.data())->buffers();
    for (size_t i = 0; i < stored_.size(); ++i) {
      if (!stored_[i].behind || stored_[i].data.bytes().empty()) continue;
      const auto* table = reinterpret_cast<const flatbuffers::Table*>(buffers->Get(static_cast<uint32_t>(i + 1)));
      const_cast<flatbuffers::Table*>(table)->SetField<uint64_t>(schema::Buffer::VT_OFFSET, append(stored_[i].data));
    }
    if (!model_.appended_archive.bytes().empty()) {
      const uint64_t padding = (kBufferAlignment - at % kBufferAlignment) % kBufferAlignment;
      append(Constant::Own(MoveArchive(model_.appended_archive.bytes(), at + padding)));
    }
  }

  Offset<flatbuffers::Vector<Offset<schema::SubGraph>>> WriteSubgraphs() {
    Offsets<schema::SubGraph> subgraphs;
    for (size_t s = 0; s < model_.subgraphs.size(); ++s) {
      const graph::Subgraph& from = model_.subgraphs[s];
      Offsets<schema::Tensor> tensors;
      for (const graph::Tensor& tensor : from.tensors) tensors.push_back(WriteTensor(tensor));
      Offsets<schema::Operator> operators;
      for (size_t n = 0; n < from.operators.size(); ++n) {
        const graph::Operator& op = from.operators[n];
        operators.push_back(
            InContext([&] { return fmt::format("subgraph {}: op {} {}", s, n, graph::Printable(op.Name())); },
                      [&] { return WriteOperator(op); }));
      }
      const auto tensor_list = builder_.CreateVector(tensors);
      const auto inputs = builder_.CreateVector(from.inputs);
      const auto outputs = builder_.CreateVector(from.outputs);
      const auto operator_list = builder_.CreateVector(operators);
      const auto name = OptionalString(from.name);
      subgraphs.push_back(schema::CreateSubGraph(builder_, tensor_list, inputs, outputs, operator_list, name,
                                                 from.debug_metadata_index));
    }
    return builder_.CreateVector(subgraphs);
  }

  Offset<schema::Tensor> WriteTensor(const graph::Tensor& from) {
    const auto dims = from.shape.dims();
    const auto shape = builder_.CreateVector(dims.data(), dims.size());
    const auto name = OptionalString(from.name);
    const auto quantization = WriteQuantization(from);
    const auto sparsity = from.sparsity ? WriteSparsity(*from.sparsity) : Offset<schema::SparsityParameters>();
    const auto signature =
        from.shape_signature ? builder_.CreateVector(*from.shape_signature) : Offset<flatbuffers::Vector<int32_t>>();
    Offsets<schema::VariantSubType> variants;
    for (const graph::VariantSubtype& variant : from.variant_tensors) {
      const auto variant_dims = variant.shape.dims();
      const auto variant_shape = builder_.CreateVector(variant_dims.data(), variant_dims.size());
      variants.push_back(schema::CreateVariantSubType(
          builder_, variant_shape, static_cast<schema::TensorType>(variant.dtype), variant.has_rank));
    }
    const auto variant_list = OptionalVector(variants);
    const uint32_t buffer = from.data ? Store(*from.data, behind_) : 0;
    return schema::CreateTensor(builder_, shape, static_cast<schema::TensorType>(from.dtype), buffer, name,
                                quantization, from.is_variable, sparsity, signature, from.has_rank, variant_list,
                                from.external_buffer);
  }

  Offset<schema::QuantizationParameters> WriteQuantization(const graph::Tensor& from) {
    const Quantization& q = from.quantization;
    auto kind = schema::QuantizationDetails::NONE;
    Offset<void> details;
    if (from.blockwise) {
      const auto block_shape = OptionalVector(from.blockwise->block_shape);
      kind = schema::QuantizationDetails::BlockwiseQuantization;
      details = schema::CreateBlockwiseQuantization(builder_, from.blockwise->scales, from.blockwise->zero_points,
                                                    from.blockwise->block_size, block_shape)
                    .Union();
    } else if (from.multi_axis) {
      const auto dimensions = OptionalVector(from.multi_axis->quantized_dimensions);
      kind = schema::QuantizationDetails::MultiAxisQuantization;
      details = schema::CreateMultiAxisQuantization(builder_, from.multi_axis->scales, from.multi_axis->zero_points,
                                                    from.multi_axis->block_size, dimensions)
                    .Union();
    } else if (!from.custom_quantization.empty()) {
      builder_.ForceVectorAlignment(from.custom_quantization.size(), 1, kBufferAlignment);
      const auto custom = builder_.CreateVector(from.custom_quantization);
      kind = schema::QuantizationDetails::CustomQuantization;
      details = schema::CreateCustomQuantization(builder_, custom).Union();
    }
    if (q == Quantization() && kind == schema::QuantizationDetails::NONE) return {};
    const auto min = OptionalVector(q.min), max = OptionalVector(q.max), scale = OptionalVector(q.scale);
    std::vector<int64_t> zero_points = q.zero_point;
    if (zero_points.size() <= 1 && !q.scale.empty()) {
      zero_points.resize(q.scale.size(), zero_points.empty() ? 0 : zero_points.front());
    }
    const auto zero_point = OptionalVector(zero_points);
    return schema::CreateQuantizationParameters(builder_, min, max, scale, zero_point, kind, details,
                                                q.quantized_dimension);
  }

  Offset<schema::SparsityParameters> WriteSparsity(const graph::Sparsity& from) {
    Offsets<schema::DimensionMetadata> levels;
    for (const graph::Sparsity::Dimension& level : from.dimensions) {
      const auto segments = WriteIndices(level.segments, level.segments_type);
      const auto indices = WriteIndices(level.indices, level.indices_type);
      levels.push_back(schema::CreateDimensionMetadata(
          builder_, level.sparse_csr ? schema::DimensionType::SPARSE_CSR : schema::DimensionType::DENSE,
          level.dense_size, static_cast<schema::SparseIndexVector>(level.segments_type), segments,
          static_cast<schema::SparseIndexVector>(level.indices_type), indices));
    }
    const auto order = builder_.CreateVector(from.traversal_order);
    const auto block_map = OptionalVector(from.block_map);
    return schema::CreateSparsityParameters(builder_, order, block_map, builder_.CreateVector(levels));
  }

  Offset<void> WriteIndices(const std::vector<int32_t>& list, int type) {
    const auto narrow = [&](auto kind) {
      using T = decltype(kind);
      std::vector<T> values;
      values.reserve(list.size());
      for (const int32_t value : list) {
        if (!std::in_range<T>(value)) throw InputError("sparse index {} does not fit its type", value);
        values.push_back(static_cast<T>(value));
      }
      return builder_.CreateVector(values);
    };
    switch (static_cast<schema::SparseIndexVector>(type)) {
      case schema::SparseIndexVector::NONE:
        if (!list.empty()) throw InputError("sparse indices without a type");
        return {};
      case schema::SparseIndexVector::Int32Vector:
        return schema::CreateInt32Vector(builder_, builder_.CreateVector(list)).Union();
      case schema::SparseIndexVector::Uint16Vector:
        return schema::CreateUint16Vector(builder_, narrow(uint16_t{})).Union();
      case schema::SparseIndexVector::Uint8Vector:
        return schema::CreateUint8Vector(builder_, narrow(uint8_t{})).Union();
    }
    throw InputError("sparse indices of type {}", type);
  }

  Offset<schema::Operator> WriteOperator(const graph::Operator& from) {
    const auto key = std::tuple(static_cast<int32_t>(from.code), from.custom_code, from.version);
    const uint32_t code = codes_.try_emplace(key, static_cast<uint32_t>(codes_.size())).first->second;
    std::string_view table = from.options_table;
    if (table.empty() && !from.attributes.fields().empty()) table = graph::BuiltinOpOptionsTable(from.code);
    const OptionsTable* type = table.empty() ? nullptr : FindOptionsTable(table);
    if (type == nullptr && !table.empty()) throw InputError("the format has no options {}", graph::Printable(table));
    if (type == nullptr && !from.attributes.fields().empty()) throw InputError("it takes no options");
    const auto options = type == nullptr ? Offset<void>() : WriteAttributes(builder_, from.attributes, *type);
    const bool second = type != nullptr && type->in_second;
    const uint8_t id = type == nullptr ? 0 : type->id;

    const auto inputs = builder_.CreateVector(from.inputs);
    const auto outputs = builder_.CreateVector(from.outputs);
    const auto intermediates = OptionalVector(from.intermediates);
    Offset<flatbuffers::Vector<uint8_t>> custom, flags;
    if (!from.custom_options.empty()) {
      builder_.ForceVectorAlignment(from.custom_options.size(), 1, kBufferAlignment);
      custom = builder_.CreateVector(from.custom_options);
    }
    if (!from.mutating_variable_inputs.empty()) flags = builder_.CreateVector(from.mutating_variable_inputs);
    return schema::CreateOperator(builder_, code, inputs, outputs, static_cast<schema::BuiltinOptions>(second ? 0 : id),
                                  second ? Offset<void>() : options, custom, schema::CustomOptionsFormat::FLEXBUFFERS,
                                  flags, intermediates, 0, 0, static_cast<schema::BuiltinOptions2>(second ? id : 0),
                                  second ? options : Offset<void>(), from.debug_metadata_index);
  }

  Offset<flatbuffers::Vector<Offset<schema::SignatureDef>>> WriteSignatures() {
    Offsets<schema::SignatureDef> signatures;
    for (const graph::Signature& from : model_.signatures) {
      const auto write = [&](const std::vector<graph::SignatureTensor>& list) {
        Offsets<schema::TensorMap> entries;
        for (const graph::SignatureTensor& entry : list) {
          const auto name = builder_.CreateString(entry.name);
          entries.push_back(schema::CreateTensorMap(builder_, name, static_cast<uint32_t>(entry.tensor)));
        }
        return builder_.CreateVector(entries);
      };
      const auto inputs = write(from.inputs), outputs = write(from.outputs);
      const auto key = builder_.CreateString(from.key);
      signatures.push_back(
          schema::CreateSignatureDef(builder_, inputs, outputs, key, static_cast<uint32_t>(from.subgraph)));
    }
    return OptionalVector(signatures);
  }

  Offset<flatbuffers::Vector<Offset<schema::Metadata>>> WriteMetadata() {
    Offsets<schema::Metadata> list;
    for (size_t i = 0; i < model_.metadata.size(); ++i) {
      const auto name = builder_.CreateString(model_.metadata[i].name);
      list.push_back(schema::CreateMetadata(builder_, name, metadata_[i]));
    }
    return OptionalVector(list);
  }

  const graph::Model& model_;
  const WriteOptions options_;
  bool behind_;
  flatbuffers::FlatBufferBuilder builder_{size_t{1} << 16};
  std::map<std::tuple<int32_t, std::string, int32_t>, uint32_t> codes_;
  std::vector<Stored> stored_;  // buffer i + 1
  std::unordered_map<std::string_view, uint32_t> index_of_[2];
  std::vector<uint32_t> metadata_;
  std::vector<int32_t> legacy_metadata_;
};

Parts Write(const graph::Model& model, const WriteOptions& options) {
  return InContext([&] { return model.source.empty() ? std::string("the model") : model.source; },
                   [&] { return Writer(model, options).Write(); });
}

}  // namespace

std::vector<uint8_t> SerializeModel(const graph::Model& model, const WriteOptions& options) {
  const Parts parts = Write(model, options);
  std::vector<uint8_t> bytes(parts.tables.data(), parts.tables.data() + parts.tables.size());
  for (const Constant& part : parts.parts) bytes.insert(bytes.end(), part.bytes().begin(), part.bytes().end());
  return bytes;
}

uint64_t WriteModel(const graph::Model& model, const std::string& path, const WriteOptions& options) {
  const Parts parts = Write(model, options);
  std::vector<std::span<const uint8_t>> pieces = {{parts.tables.data(), parts.tables.size()}};
  for (const Constant& part : parts.parts) pieces.push_back(part.bytes());
  WriteFileAtomically(path, pieces);
  uint64_t bytes = 0;
  for (const std::span<const uint8_t> piece : pieces) bytes += piece.size();
  return bytes;
}

}  // namespace assay::tflite
