#include "format/tflite/reader.h"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "format/tflite/appended_archive.h"
#include "format/tflite/options.h"
#include "format/tflite/schema_generated.h"

namespace assay::tflite {
namespace {

using flatbuffers::Table;
using flatbuffers::TypeTable;
using graph::Constant;

// What tables may unfold to in memory: far more than an honest file needs, far less than a hostile one could ask for.
constexpr uint64_t kBudgetBase = uint64_t{64} << 20;
constexpr uint64_t kBudgetPerByte = 32;
constexpr size_t kAlignment = 16;
constexpr uint32_t kVersion = 3;

size_t Alignment(DType dtype) {
  switch (dtype) {
    case DType::kComplex64:
      return 4;
    case DType::kComplex128:
      return 8;
    default:
      return std::max<size_t>(1, static_cast<size_t>(DTypeBits(dtype)) / 8);
  }
}

// A copy that starts where every element type may.
std::pair<std::span<const uint8_t>, std::shared_ptr<const void>> AlignedCopy(std::span<const uint8_t> bytes) {
  struct alignas(kAlignment) Block {
    uint8_t bytes[kAlignment];
  };
  const auto blocks = std::make_shared<std::vector<Block>>(bytes.size() / kAlignment + 1);
  auto* copy = reinterpret_cast<uint8_t*>(blocks->data());
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  return {{copy, bytes.size()}, blocks};
}

bool IsAligned(const uint8_t* pointer, size_t alignment) {
  return reinterpret_cast<uintptr_t>(pointer) % alignment == 0;
}

class Reader {
 public:
  Reader(std::span<const uint8_t> file, std::shared_ptr<const void> owner, const Limits& limits)
      : file_(file),
        owner_(std::move(owner)),
        limits_(limits),
        budget_(kBudgetBase + kBudgetPerByte * std::min<uint64_t>(file.size(), FLATBUFFERS_MAX_BUFFER_SIZE)) {}

  graph::Model Read() {
    const schema::Model* root = VerifyTables();
    Note(AsTable(*root), schema::ModelTypeTable(), "the model");
    if (root->version() != kVersion) {
      throw InputError("its schema has version {}; only version {} is known", root->version(), kVersion);
    }
    model_.version = root->version();
    model_.file_bytes = file_.size();
    model_.description = ReadText(root->description(), "its description", budget_);
    ReadBuffers(root->buffers());
    ReadOperatorCodes(root->operator_codes());
    ReadSubgraphs(root->subgraphs());
    ReadSignatures(root->signature_defs());
    ReadMetadata(*root);
    ReadExternalBuffers(*root);
    if (auto archive = FindArchive(file_)) model_.appended_archive = Constant::Own(std::move(*archive));
    graph::Verify(model_, limits_);
    CheckSignatureTensors();
    return std::move(model_);
  }

 private:
  struct OperatorCode {
    int32_t code = 0, version = 1;
    std::string custom_code;
  };
  struct BufferBytes {
    std::optional<std::span<const uint8_t>> bytes;  // none where the buffer holds no data at all
    std::optional<Constant> aligned;                // a copy, made when first needed
  };

  const schema::Model* VerifyTables() const {
    if (file_.empty()) throw InputError("the file is empty");
    if (file_.size() < 8) throw InputError("{} bytes are too few for a .tflite model", file_.size());
    if (!schema::ModelBufferHasIdentifier(file_.data())) {
      throw InputError("not a .tflite model: the identifier \"{}\" is missing", schema::ModelIdentifier());
    }
    // Tables lie in the first 2 GiB, the most that the verifier takes; only buffers given by offset lie behind.
    const size_t size = std::min<size_t>(file_.size(), FLATBUFFERS_MAX_BUFFER_SIZE - 1);
    flatbuffers::Verifier::Options options;
    options.max_depth = 16;
    options.max_tables = static_cast<flatbuffers::uoffset_t>(std::min<size_t>(size, 100'000'000));
    flatbuffers::Verifier verifier(file_.data(), size, options);
    if (!schema::VerifyModelBuffer(verifier)) {
      throw InputError("its tables are damaged: the file is truncated or not a well-formed FlatBuffer");
    }
    return schema::GetModel(file_.data());
  }

  const uint8_t* end() const { return file_.data() + file_.size(); }

  void Warn(std::string text) {
    constexpr size_t kMostWarnings = 20;
    if (model_.warnings.size() < kMostWarnings) {
      model_.warnings.push_back(std::move(text));
    } else if (model_.warnings.size() == kMostWarnings) {
      model_.warnings.push_back("further warnings are left out");
    }
  }

  // Something that reading loses.
  void Unknown(std::string text) {
    model_.has_unknown_fields = true;
    Warn(std::move(text));
  }

  template <typename... Args>
  void Note(const Table& table, const TypeTable* type, fmt::format_string<Args...> place, Args&&... args) {
    if (!HasUnknownFields(table, *type)) return;
    Unknown(fmt::format(place, std::forward<Args>(args)...) + " holds fields that this version does not know");
  }

  template <typename T>
  auto Copy(const flatbuffers::Vector<T>* vector) {
    using Element = std::conditional_t<std::is_enum_v<T>, int32_t, T>;
    std::vector<Element> copy;
    if (vector == nullptr) return copy;
    budget_.Take(uint64_t{vector->size()} * sizeof(Element));
    copy.resize(vector->size());
    if (!copy.empty()) std::memcpy(copy.data(), vector->Data(), copy.size() * sizeof(Element));
    return copy;
  }

  // Calls body(table, index) for every table of the vector.
  template <typename T, typename Body>
  void ForEach(const flatbuffers::Vector<flatbuffers::Offset<T>>* vector, const Body& body) {
    if (vector == nullptr) return;
    for (flatbuffers::uoffset_t i = 0; i < vector->size(); ++i) body(*vector->Get(i), i);
  }

  std::span<const uint8_t> Range(std::string_view what, uint64_t offset, uint64_t size) const {
    if (offset > file_.size() || size > file_.size() - offset) {
      throw InputError("{} {} bytes at offset {}, the file has {}", what, size, offset, file_.size());
    }
    return file_.subspan(offset, size);
  }

  void ReadBuffers(const flatbuffers::Vector<flatbuffers::Offset<schema::Buffer>>* buffers) {
    std::map<std::pair<const uint8_t*, size_t>, bool> distinct;
    uint64_t total = 0;
    ForEach(buffers, [&](const schema::Buffer& buffer, uint32_t i) {
      InContext([&] { return fmt::format("buffer {}", i); },
                [&] {
                  budget_.Take(sizeof(BufferBytes));
                  Note(AsTable(buffer), schema::BufferTypeTable(), "buffer {}", i);
                  BufferBytes& read = buffers_.emplace_back();
                  if (buffer.data() != nullptr) {
                    read.bytes = std::span<const uint8_t>(buffer.data()->data(), buffer.data()->size());
                  } else if (buffer.offset() > 1) {  // 0: none; 1: what some writers leave for "to be filled in"
                    read.bytes = Range("it takes", buffer.offset(), buffer.size());
                  } else {
                    return;
                  }
                  if (distinct.emplace(std::pair(read.bytes->data(), read.bytes->size()), true).second)
                    total += read.bytes->size();
                });
    });
    // Honest buffers lie side by side; overlapping ones could ask for work without bound.
    if (total / 2 > file_.size())
      throw InputError("its buffers overlap: {} bytes in a file of {}", total, file_.size());
  }

  template <typename T>
  static const flatbuffers::Table& AsTable(const T& table) {
    return reinterpret_cast<const flatbuffers::Table&>(table);
  }

  std::optional<Constant> BufferData(uint64_t index, size_t alignment) {
    if (index >= buffers_.size()) throw InputError("its data is buffer {}, the model has {}", index, buffers_.size());
    BufferBytes& buffer = buffers_[index];
    if (!buffer.bytes) return std::nullopt;
    if (IsAligned(buffer.bytes->data(), alignment)) return Constant(*buffer.bytes, owner_);
    if (!buffer.aligned) {
      auto [bytes, owner] = AlignedCopy(*buffer.bytes);
      buffer.aligned = Constant(bytes, std::move(owner));
    }
    return buffer.aligned;
  }

  void ReadOperatorCodes(const flatbuffers::Vector<flatbuffers::Offset<schema::OperatorCode>>* codes) {
    ForEach(codes, [&](const schema::OperatorCode& code, uint32_t i) {
      InContext([&] { return fmt::format("operator code {}", i); },
                [&] {
                  budget_.Take(sizeof(OperatorCode));
                  Note(AsTable(code), schema::OperatorCodeTypeTable(), "operator code {}", i);
                  // Old files have only the first field, new ones both: a number above 126 fits the second only.
                  const int32_t id =
                      std::max<int32_t>(code.deprecated_builtin_code(), static_cast<int32_t>(code.builtin_code()));
                  if (id < 0) throw InputError("it is {}", id);
                  if (static_cast<size_t>(id) >= graph::AllBuiltinOps().size()) {
                    Unknown(fmt::format("operator code {} is {}, an operator that this version does not know", i, id));
                  }
                  codes_.push_back({id, code.version(), ReadText(code.custom_code(), "its custom code", budget_)});
                });
    });
  }

  void ReadSubgraphs(const flatbuffers::Vector<flatbuffers::Offset<schema::SubGraph>>* subgraphs) {
    ForEach(subgraphs, [&](const schema::SubGraph& from, uint32_t s) {
      InContext([&] { return fmt::format("subgraph {}", s); },
                [&] {
                  if (s >= limits_.max_subgraphs) throw InputError("the limit is {} subgraphs", limits_.max_subgraphs);
                  budget_.Take(sizeof(graph::Subgraph));
                  Note(AsTable(from), schema::SubGraphTypeTable(), "subgraph {}", s);
                  graph::Subgraph& to = model_.subgraphs.emplace_back();
                  to.name = ReadText(from.name(), "its name", budget_);
                  to.inputs = Copy(from.inputs());
                  to.outputs = Copy(from.outputs());
                  to.debug_metadata_index = from.debug_metadata_index();
                  if (from.tensors() != nullptr) tensors_ += from.tensors()->size();
                  if (from.operators() != nullptr) operators_ += from.operators()->size();
                  if (tensors_ > limits_.max_tensors) throw InputError("the limit is {} tensors", limits_.max_tensors);
                  if (operators_ > limits_.max_operators)
                    throw InputError("the limit is {} operators", limits_.max_operators);
                  ForEach(from.tensors(), [&](const schema::Tensor& tensor, uint32_t t) {
                    InContext([&] { return TensorPlace(t, tensor); },
                              [&] { ReadTensor(tensor, to.tensors.emplace_back(), s, t); });
                  });
                  ForEach(from.operators(), [&](const schema::Operator& op, uint32_t n) {
                    InContext([&] { return OperatorPlace(n, op); },
                              [&] { ReadOperator(op, to.operators.emplace_back(), s, n); });
                  });
                });
    });
  }

  static std::string TensorPlace(uint32_t index, const schema::Tensor& tensor) {
    return fmt::format("tensor {} \"{}\"", index,
                       graph::Printable(tensor.name() == nullptr ? "" : tensor.name()->string_view()));
  }

  std::string OperatorPlace(uint32_t index, const schema::Operator& op) const {
    if (op.opcode_index() >= codes_.size()) return fmt::format("op {}", index);
    const OperatorCode& code = codes_[op.opcode_index()];
    const auto id = static_cast<graph::BuiltinOp>(code.code);
    return fmt::format(
        "op {} {}", index,
        id == graph::BuiltinOp::kCustom ? graph::Printable(code.custom_code) : std::string(graph::BuiltinOpName(id)));
  }

  DType ReadType(schema::TensorType type) {
    const int id = static_cast<int>(type);
    if (id < 0 || id >= kDTypeCount) throw InputError("its type is {}, which this version does not know", id);
    return static_cast<DType>(id);
  }

  void ReadTensor(const schema::Tensor& from, graph::Tensor& to, uint32_t s, uint32_t t) {
    budget_.Take(sizeof(graph::Tensor));
    Note(AsTable(from), schema::TensorTypeTable(), "subgraph {}: tensor {}", s, t);
    to.name = ReadText(from.name(), "its name", budget_);
    to.dtype = ReadType(from.type());
    to.shape = Shape(Copy(from.shape()));
    if (from.shape_signature() != nullptr) to.shape_signature = Copy(from.shape_signature());
    to.has_rank = from.has_rank();
    to.is_variable = from.is_variable();
    to.external_buffer = from.external_buffer();
    if (from.quantization() != nullptr) {
      InContext([] { return std::string("its quantization"); },
                [&] { ReadQuantization(*from.quantization(), to, s, t); });
    }
    if (from.sparsity() != nullptr) {
      InContext([] { return std::string("its sparsity"); }, [&] { ReadSparsity(*from.sparsity(), to, s, t); });
    }
    ForEach(from.variant_tensors(), [&](const schema::VariantSubType& variant, uint32_t) {
      budget_.Take(sizeof(graph::VariantSubtype));
      Note(AsTable(variant), schema::VariantSubTypeTypeTable(), "subgraph {}: tensor {}", s, t);
      to.variant_tensors.push_back({Shape(Copy(variant.shape())), ReadType(variant.type()), variant.has_rank()});
    });
    // Buffer 0 is "no data" by convention, whatever it holds.
    if (from.buffer() != 0) to.data = BufferData(from.buffer(), Alignment(to.dtype));
    if (to.data) TrimData(to, s, t);
  }

  // LiteRT runs constants that are longer than their shape says; what is too much is left out.
  void TrimData(graph::Tensor& tensor, uint32_t s, uint32_t t) {
    if (tensor.sparsity || DTypeBits(tensor.dtype) == 0 || !tensor.shape.IsValid(limits_.max_elements)) return;
    const uint64_t expected = DTypeBytes(tensor.dtype, static_cast<uint64_t>(tensor.shape.NumElements()));
    const std::span<const uint8_t> bytes = tensor.data->bytes();
    if (bytes.size() <= expected) return;
    Warn(fmt::format("subgraph {}: tensor {} \"{}\": its shape {} takes {} of the {} bytes of its data", s, t,
                     graph::Printable(tensor.name), tensor.shape.ToString(), expected, bytes.size()));
    tensor.data = tensor.data->First(expected);
  }

  void ReadQuantization(const schema::QuantizationParameters& from, graph::Tensor& to, uint32_t s, uint32_t t) {
    Note(AsTable(from), schema::QuantizationParametersTypeTable(), "subgraph {}: tensor {}", s, t);
    to.quantization.scale = Copy(from.scale());
    to.quantization.zero_point = Copy(from.zero_point());
    to.quantization.min = Copy(from.min());
    to.quantization.max = Copy(from.max());
    to.quantization.quantized_dimension = from.quantized_dimension();
    // No zero point, or one for all scales, stands for the whole list.
    const size_t scales = to.quantization.scale.size(), zero_points = to.quantization.zero_point.size();
    if (zero_points <= 1 && zero_points != scales && scales != 0) {
      budget_.Take(scales * sizeof(int64_t));
      to.quantization.zero_point.assign(scales, zero_points == 0 ? 0 : to.quantization.zero_point.front());
    }
    if (const auto* custom = from.details_as_CustomQuantization()) {
      Note(AsTable(*custom), schema::CustomQuantizationTypeTable(), "subgraph {}: tensor {}", s, t);
      to.custom_quantization = Copy(custom->custom());
    } else if (const auto* blockwise = from.details_as_BlockwiseQuantization()) {
      Note(AsTable(*blockwise), schema::BlockwiseQuantizationTypeTable(), "subgraph {}: tensor {}", s, t);
      to.blockwise = {blockwise->scales(), blockwise->zero_points(), blockwise->block_size(),
                      Copy(blockwise->block_shape())};
    } else if (const auto* axes = from.details_as_MultiAxisQuantization()) {
      Note(AsTable(*axes), schema::MultiAxisQuantizationTypeTable(), "subgraph {}: tensor {}", s, t);
      to.multi_axis = {axes->scales(), axes->zero_points(), axes->block_size(), Copy(axes->quantized_dimensions())};
    } else if (from.details_type() != schema::QuantizationDetails::NONE) {
      Unknown(fmt::format("subgraph {}: tensor {}: details of quantization of kind {} are ignored", s, t,
                          static_cast<int>(from.details_type())));
    }
  }

  void ReadSparsity(const schema::SparsityParameters& from, graph::Tensor& to, uint32_t s, uint32_t t) {
    Note(AsTable(from), schema::SparsityParametersTypeTable(), "subgraph {}: tensor {}", s, t);
    graph::Sparsity& sparsity = to.sparsity.emplace();
    sparsity.traversal_order = Copy(from.traversal_order());
    sparsity.block_map = Copy(from.block_map());
    ForEach(from.dim_metadata(), [&](const schema::DimensionMetadata& level, uint32_t l) {
      InContext(
          [&] { return fmt::format("level {}", l); },
          [&] {
            budget_.Take(sizeof(graph::Sparsity::Dimension));
            Note(AsTable(level), schema::DimensionMetadataTypeTable(), "subgraph {}: tensor {}", s, t);
            graph::Sparsity::Dimension& dimension = sparsity.dimensions.emplace_back();
            if (level.format() != schema::DimensionType::DENSE && level.format() != schema::DimensionType::SPARSE_CSR) {
              throw InputError("its format is {}, which this version does not know", static_cast<int>(level.format()));
            }
            dimension.sparse_csr = level.format() == schema::DimensionType::SPARSE_CSR;
            dimension.dense_size = level.dense_size();
            dimension.segments_type = static_cast<int>(level.array_segments_type());
            dimension.segments = ReadIndices(level.array_segments(), level.array_segments_type());
            dimension.indices_type = static_cast<int>(level.array_indices_type());
            dimension.indices = ReadIndices(level.array_indices(), level.array_indices_type());
          });
    });
  }

  std::vector<int32_t> ReadIndices(const void* table, schema::SparseIndexVector type) {
    const auto widen = [&](const auto* vector) {
      std::vector<int32_t> wide;
      if (vector == nullptr) return wide;
      budget_.Take(uint64_t{vector->size()} * sizeof(int32_t));
      wide.assign(vector->begin(), vector->end());
      return wide;
    };
    if (type == schema::SparseIndexVector::NONE || table == nullptr) return {};
    switch (type) {
      case schema::SparseIndexVector::Int32Vector:
        return widen(static_cast<const schema::Int32Vector*>(table)->values());
      case schema::SparseIndexVector::Uint16Vector:
        return widen(static_cast<const schema::Uint16Vector*>(table)->values());
      case schema::SparseIndexVector::Uint8Vector:
        return widen(static_cast<const schema::Uint8Vector*>(table)->values());
      default:
        throw InputError("a list of indices is of type {}, which this version does not know", static_cast<int>(type));
    }
  }

  void ReadOperator(const schema::Operator& from, graph::Operator& to, uint32_t s, uint32_t n) {
    const auto place = [&] { return fmt::format("subgraph {}: op {}", s, n); };
    budget_.Take(sizeof(graph::Operator));
    Note(AsTable(from), schema::OperatorTypeTable(), "subgraph {}: op {}", s, n);
    if (from.opcode_index() >= codes_.size()) {
      throw InputError("its operator code is number {}, the model has {}", from.opcode_index(), codes_.size());
    }
    const OperatorCode& code = codes_[from.opcode_index()];
    budget_.Take(code.custom_code.size());
    to.code = static_cast<graph::BuiltinOp>(code.code);
    to.version = code.version;
    to.custom_code = code.custom_code;
    to.inputs = Copy(from.inputs());
    to.outputs = Copy(from.outputs());
    to.intermediates = Copy(from.intermediates());
    to.debug_metadata_index = from.debug_metadata_index();
    if (from.mutating_variable_inputs() != nullptr) {
      const std::vector<uint8_t> flags = Copy(from.mutating_variable_inputs());
      to.mutating_variable_inputs.resize(flags.size());
      for (size_t i = 0; i < flags.size(); ++i) to.mutating_variable_inputs[i] = flags[i] != 0;
    }
    if (from.custom_options_format() != schema::CustomOptionsFormat::FLEXBUFFERS) {
      Unknown(fmt::format("{}: the format of its custom options, {}, is not known", place(),
                          static_cast<int>(from.custom_options_format())));
    }
    if (from.custom_options() != nullptr) {
      to.custom_options = Copy(from.custom_options());
    } else if (from.large_custom_options_offset() > 1) {
      const std::span<const uint8_t> bytes =
          Range("its custom options take", from.large_custom_options_offset(), from.large_custom_options_size());
      budget_.Take(bytes.size());
      to.custom_options.assign(bytes.begin(), bytes.end());
    }
    ReadOptionTables(from, to, s, n);
  }

  void ReadOptionTables(const schema::Operator& from, graph::Operator& to, uint32_t s, uint32_t n) {
    const auto place = [&] { return fmt::format("subgraph {}: op {}", s, n); };
    const std::string_view own = graph::BuiltinOpOptionsTable(to.code);
    const auto read = [&](int id, const void* table, bool in_second) {
      if (id == 0 || table == nullptr) return;
      const OptionsTable* type = FindOptionsTable(static_cast<uint8_t>(id), in_second);
      if (type == nullptr) {
        Unknown(fmt::format("{}: options of kind {}{} are not known and ignored", place(), in_second ? "2:" : "", id));
        return;
      }
      if (!to.options_table.empty() || (!own.empty() && own != type->name)) {
        // LiteRT, too, runs an operator with its defaults then.
        Unknown(fmt::format("{}: options of kind {} are not this operator's and ignored", place(), type->name));
        return;
      }
      const auto& fields = *static_cast<const flatbuffers::Table*>(table);
      Note(fields, type->type, "subgraph {}: op {}", s, n);
      to.options_table = type->name;
      to.attributes = ReadAttributes(fields, *type, end(), budget_);
    };
    read(static_cast<int>(from.builtin_options_type()), from.builtin_options(), false);
    read(static_cast<int>(from.builtin_options2_type()), from.builtin_options2(), true);
  }

  void ReadSignatures(const flatbuffers::Vector<flatbuffers::Offset<schema::SignatureDef>>* signatures) {
    ForEach(signatures, [&](const schema::SignatureDef& from, uint32_t i) {
      InContext([&] { return fmt::format("signature {}", i); },
                [&] {
                  budget_.Take(sizeof(graph::Signature));
                  Note(AsTable(from), schema::SignatureDefTypeTable(), "signature {}", i);
                  graph::Signature& to = model_.signatures.emplace_back();
                  to.key = ReadText(from.signature_key(), "its key", budget_);
                  if (from.subgraph_index() > INT32_MAX)
                    throw InputError("it is of subgraph {}", from.subgraph_index());
                  to.subgraph = static_cast<int32_t>(from.subgraph_index());
                  const auto read = [&](const auto* list, std::vector<graph::SignatureTensor>& entries) {
                    ForEach(list, [&](const schema::TensorMap& entry, uint32_t) {
                      budget_.Take(sizeof(graph::SignatureTensor));
                      Note(AsTable(entry), schema::TensorMapTypeTable(), "signature {}", i);
                      std::string name = ReadText(entry.name(), "the name of a tensor", budget_);
                      if (entry.tensor_index() > INT32_MAX) {
                        throw InputError("\"{}\" is tensor {}", graph::Printable(name), entry.tensor_index());
                      }
                      entries.push_back({std::move(name), static_cast<int32_t>(entry.tensor_index())});
                    });
                  };
                  read(from.inputs(), to.inputs);
                  read(from.outputs(), to.outputs);
                });
    });
  }

  void ReadMetadata(const schema::Model& root) {
    ForEach(root.metadata(), [&](const schema::Metadata& from, uint32_t i) {
      InContext([&] { return fmt::format("metadata {}", i); },
                [&] {
                  budget_.Take(sizeof(graph::Metadata));
                  Note(AsTable(from), schema::MetadataTypeTable(), "metadata {}", i);
                  std::string name = ReadText(from.name(), "its name", budget_);
                  model_.metadata.push_back({std::move(name), BufferData(from.buffer(), 1).value_or(Constant())});
                });
    });
    for (const int32_t index : Copy(root.metadata_buffer())) {
      InContext([] { return std::string("metadata without a name"); },
                [&] {
                  if (index < 0) throw InputError("its data is buffer {}", index);
                  budget_.Take(sizeof(Constant));
                  model_.legacy_metadata.push_back(BufferData(static_cast<uint64_t>(index), 1).value_or(Constant()));
                });
    }
  }

  void ReadExternalBuffers(const schema::Model& root) {
    ForEach(root.external_buffer_groups(), [&](const schema::ExternalBufferGroup& from, uint32_t i) {
      budget_.Take(sizeof(std::string));
      Note(AsTable(from), schema::ExternalBufferGroupTypeTable(), "external buffer group {}", i);
      model_.external_buffer_groups.push_back(ReadText(from.name(), "the name of an external buffer group", budget_));
    });
    ForEach(root.external_buffers(), [&](const schema::ExternalBuffer& from, uint32_t i) {
      budget_.Take(sizeof(graph::ExternalBuffer));
      Note(AsTable(from), schema::ExternalBufferTypeTable(), "external buffer {}", i);
      model_.external_buffers.push_back({from.id(), from.group(), from.offset(), from.length(),
                                         ReadText(from.packing(), "the packing of an external buffer", budget_)});
    });
  }

  void CheckSignatureTensors() {
    for (const graph::Signature& signature : model_.signatures) {
      const graph::Subgraph& subgraph = model_.subgraphs[static_cast<size_t>(signature.subgraph)];
      const auto check = [&](std::string_view what, const auto& entries, std::vector<int32_t> known) {
        std::sort(known.begin(), known.end());
        for (const graph::SignatureTensor& entry : entries) {
          if (std::binary_search(known.begin(), known.end(), entry.tensor)) continue;
          Warn(fmt::format("signature \"{}\": {} \"{}\" is not an {} of its subgraph", graph::Printable(signature.key),
                           what, graph::Printable(entry.name), what));
        }
      };
      check("input", signature.inputs, subgraph.inputs);
      check("output", signature.outputs, subgraph.outputs);
    }
  }

  const std::span<const uint8_t> file_;
  const std::shared_ptr<const void> owner_;
  const Limits& limits_;
  Budget budget_;
  graph::Model model_;
  std::vector<OperatorCode> codes_;
  std::vector<BufferBytes> buffers_;
  uint64_t tensors_ = 0, operators_ = 0;
};

}  // namespace

std::shared_ptr<const graph::Model> ReadModel(const std::string& path, const Limits& limits) {
  const std::shared_ptr<const MappedFile> file = MappedFile::Open(path, limits.max_bytes);
  return ReadModel(file->bytes(), file, path, limits);
}

std::shared_ptr<const graph::Model> ReadModel(std::vector<uint8_t> bytes, const std::string& name,
                                              const Limits& limits) {
  const auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  return ReadModel(*owner, owner, name, limits);
}

std::shared_ptr<const graph::Model> ReadModel(std::span<const uint8_t> bytes, std::shared_ptr<const void> owner,
                                              const std::string& name, const Limits& limits) {
  return InContext([&] { return name; },
                   [&] {
                     if (bytes.size() > limits.max_bytes) {
                       throw InputError("it has {} bytes; the limit is {}", bytes.size(), limits.max_bytes);
                     }
                     // Tables are aligned relative to the start of the file.
                     if (!IsAligned(bytes.data(), kAlignment)) std::tie(bytes, owner) = AlignedCopy(bytes);
                     auto model = std::make_shared<graph::Model>(Reader(bytes, std::move(owner), limits).Read());
                     model->source = name;
                     return std::shared_ptr<const graph::Model>(std::move(model));
                   });
}

}  // namespace assay::tflite
