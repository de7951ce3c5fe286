#include "format/tflite/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/mapped_file.h"
#include "format/tflite/test_models.h"
#include "graph/difference.h"

namespace assay::tflite {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

// The message of the error that reading ends in, or "" where it succeeds.
std::string Verdict(const std::vector<uint8_t>& bytes, const Limits& limits = {}) {
  try {
    ReadModel(bytes, "m.tflite", limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    return error.what();
  }
  return "";
}

std::vector<uint8_t> Broken(const graph::Model& model) { return SerializeModel(model, {.verify = false}); }

// A model as a file, with one change made to its tables.
std::vector<uint8_t> Patched(const graph::Model& model, const std::function<bool(const schema::Model&)>& patch,
                             const WriteOptions& options = {}) {
  std::vector<uint8_t> bytes = SerializeModel(model, options);
  EXPECT_TRUE(patch(*schema::GetModel(bytes.data()))) << "the table does not give that field";
  return bytes;
}

// A graph of two operators, so that the second one's code has a number that is not the default.
graph::Model TwoOps() {
  graph::Model model = SmallModel();
  graph::Subgraph& subgraph = model.subgraphs[0];
  subgraph.tensors.push_back(subgraph.tensors[3]);
  subgraph.tensors.back().name = "z";
  graph::Operator relu;
  relu.code = graph::BuiltinOp::kRelu;
  relu.inputs = {3};
  relu.outputs = {4};
  subgraph.operators.push_back(relu);
  return model;
}

TEST(Reader, ReadsEveryModelOfTheTestData) {
  const char* folder = std::getenv("ASSAY_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "ASSAY_TEST_DATA names no folder with models";
  size_t models = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".tflite") continue;
    const auto model = ReadModel(entry.path());
    EXPECT_THAT(model->warnings, IsEmpty()) << entry.path();
    EXPECT_FALSE(model->has_unknown_fields) << entry.path();
    ASSERT_FALSE(model->subgraphs.empty());
    EXPECT_FALSE(model->subgraphs[0].operators.empty()) << entry.path();
    ++models;
  }
  EXPECT_GT(models, 0U);
}

TEST(Reader, GivesWhatTheFileSays) {
  const auto model = ReadModel(SerializeModel(SmallModel()), "m.tflite");
  EXPECT_EQ(model->source, "m.tflite");
  ASSERT_THAT(model->subgraphs, SizeIs(1));
  const graph::Subgraph& subgraph = model->subgraphs[0];
  ASSERT_THAT(subgraph.tensors, SizeIs(4));
  const graph::Tensor& w = subgraph.tensors[1];
  EXPECT_EQ(w.name, "w");
  EXPECT_EQ(w.dtype, DType::kInt8);
  EXPECT_EQ(w.shape, (Shape{2, 4}));
  EXPECT_THAT(w.quantization.scale, ElementsAre(0.25F, 0.125F));
  ASSERT_TRUE(w.data.has_value());
  EXPECT_THAT(w.data->bytes(), ElementsAre(1, 254, 3, 252, 5, 250, 7, 248));
  EXPECT_FALSE(subgraph.tensors[0].data.has_value());
  ASSERT_THAT(subgraph.operators, SizeIs(1));
  EXPECT_EQ(subgraph.operators[0].Name(), "FULLY_CONNECTED");
  EXPECT_EQ(subgraph.operators[0].version, 4);
  EXPECT_EQ(subgraph.operators[0].options_table, "FullyConnectedOptions");
  const graph::AttributeValue* activation = subgraph.operators[0].attributes.Find("fused_activation_function");
  ASSERT_NE(activation, nullptr);
  EXPECT_EQ(*activation, graph::AttributeValue(int64_t{1}));
  EXPECT_THAT(subgraph.operators[0].attributes.fields(), SizeIs(1)) << "fields that the file does not give are absent";
}

TEST(Reader, FilesThatAreNoModels) {
  const std::string path = testing::TempDir() + "reader_test.tflite";
  const auto verdict = [&](const std::string& name) {
    try {
      ReadModel(name);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(verdict("/no/such/model.tflite"), "/no/such/model.tflite: cannot open: No such file or directory");
  EXPECT_THAT(verdict(testing::TempDir()), HasSubstr("is a folder"));
  WriteFileAtomically(path, std::string());
  EXPECT_EQ(verdict(path), path + ": the file is empty");
  WriteFileAtomically(path, std::string("TFL3"));
  EXPECT_EQ(verdict(path), path + ": 4 bytes are too few for a .tflite model");
  WriteFileAtomically(path, std::string("%PDF-1.4 and so on"));
  EXPECT_EQ(verdict(path), path + ": not a .tflite model: the identifier \"TFL3\" is missing");
  std::filesystem::remove(path);

  std::vector<uint8_t> bytes = SerializeModel(SmallModel());
  EXPECT_EQ(Verdict(bytes, {.max_bytes = 100}),
            "m.tflite: it has " + std::to_string(bytes.size()) + " bytes; the limit is 100");
  std::memset(bytes.data(), 0xff, 4);
  EXPECT_EQ(Verdict(bytes), "m.tflite: its tables are damaged: the file is truncated or not a well-formed FlatBuffer");
}

// Whatever the bytes: a model that can be written again, or one InputError that names the file.
void ExpectModelOrError(const std::vector<uint8_t>& bytes, size_t* models, size_t* errors) {
  std::shared_ptr<const graph::Model> model;
  try {
    model = ReadModel(bytes, "m.tflite");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    EXPECT_THAT(error.what(), StartsWith("m.tflite: "));
    ++*errors;
    return;
  }
  ++*models;
  if (model->has_unknown_fields) {
    EXPECT_THAT(model->warnings, testing::Not(IsEmpty()));
    return;
  }
  EXPECT_EQ(graph::FirstDifference(*model, *ReadModel(SerializeModel(*model), "again")), "");
}

TEST(Reader, TruncatedAtEveryLength) {
  for (const bool behind : {false, true}) {
    const std::vector<uint8_t> whole = SerializeModel(RichModel(), {.buffers_behind_tables = behind});
    size_t models = 0, errors = 0;
    for (size_t length = 0; length < whole.size(); ++length) {
      ExpectModelOrError({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length)}, &models, &errors);
    }
    EXPECT_GT(errors, whole.size() / 2);
  }
}

TEST(Reader, EveryBitFlipped) {
  const std::vector<uint8_t> whole = SerializeModel(SmallModel());
  size_t models = 0, errors = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<uint8_t> bytes = whole;
      bytes[at] ^= static_cast<uint8_t>(1U << bit);
      ExpectModelOrError(bytes, &models, &errors);
    }
  }
  EXPECT_GT(models, 1000U);
  EXPECT_GT(errors, 1000U);
}

TEST(Reader, EveryByteOfTheRichModelChanged) {
  const std::vector<uint8_t> whole = SerializeModel(RichModel(), {.buffers_behind_tables = true});
  size_t models = 0, errors = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const uint8_t value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::vector<uint8_t> bytes = whole;
      bytes[at] = value;
      ExpectModelOrError(bytes, &models, &errors);
    }
  }
  EXPECT_GT(models, 1000U);
  EXPECT_GT(errors, 1000U);
}

TEST(Reader, IndicesOfTheFile) {
  const auto tensor = [](const schema::Model& m, uint32_t t) { return m.subgraphs()->Get(0)->tensors()->Get(t); };
  EXPECT_EQ(
      Verdict(Patched(SmallModel(),
                      [&](const auto& m) { return Patch<uint32_t>(tensor(m, 1), schema::Tensor::VT_BUFFER, 99); })),
      "m.tflite: subgraph 0: tensor 1 \"w\": its data is buffer 99, the model has 3");
  EXPECT_EQ(Verdict(Patched(SmallModel(),
                            [&](const auto& m) { return Patch<int8_t>(tensor(m, 1), schema::Tensor::VT_TYPE, 23); })),
            "m.tflite: subgraph 0: tensor 1 \"w\": its type is 23, which this version does not know");
  EXPECT_EQ(Verdict(Patched(SmallModel(),
                            [&](const auto& m) { return Patch<int8_t>(tensor(m, 1), schema::Tensor::VT_TYPE, -1); })),
            "m.tflite: subgraph 0: tensor 1 \"w\": its type is -1, which this version does not know");
  EXPECT_EQ(Verdict(Patched(TwoOps(),
                            [&](const auto& m) {
                              return Patch<uint32_t>(m.subgraphs()->Get(0)->operators()->Get(1),
                                                     schema::Operator::VT_OPCODE_INDEX, 2);
                            })),
            "m.tflite: subgraph 0: op 1: its operator code is number 2, the model has 2");
  EXPECT_EQ(Verdict(Patched(SmallModel(),
                            [&](const auto& m) {
                              return Patch<int32_t>(m.operator_codes()->Get(0), schema::OperatorCode::VT_BUILTIN_CODE,
                                                    -9) &&
                                     Patch<int8_t>(m.operator_codes()->Get(0),
                                                   schema::OperatorCode::VT_DEPRECATED_BUILTIN_CODE, -3);
                            })),
            "m.tflite: operator code 0: it is -3");
  EXPECT_EQ(
      Verdict(Patched(SmallModel(), [&](const auto& m) { return Patch<uint32_t>(&m, schema::Model::VT_VERSION, 2); })),
      "m.tflite: its schema has version 2; only version 3 is known");
  EXPECT_EQ(Verdict(Patched(RichModel(),
                            [&](const auto& m) {
                              return Patch<uint32_t>(m.metadata()->Get(0), schema::Metadata::VT_BUFFER, 1000);
                            })),
            "m.tflite: metadata 0: its data is buffer 1000, the model has 14");
  EXPECT_EQ(Verdict(Patched(RichModel(),
                            [&](const auto& m) {
                              const_cast<flatbuffers::Vector<int32_t>*>(m.metadata_buffer())->Mutate(0, -1);
                              return true;
                            })),
            "m.tflite: metadata without a name: its data is buffer -1");
  EXPECT_EQ(Verdict(Patched(RichModel(),
                            [&](const auto& m) {
                              return Patch<uint32_t>(m.signature_defs()->Get(1),
                                                     schema::SignatureDef::VT_SUBGRAPH_INDEX, 0x80000000);
                            })),
            "m.tflite: signature 1: it is of subgraph 2147483648");
  EXPECT_EQ(Verdict(Patched(RichModel(),
                            [&](const auto& m) {
                              return Patch<uint32_t>(m.signature_defs()->Get(0)->inputs()->Get(1),
                                                     schema::TensorMap::VT_TENSOR_INDEX, 0xffffffff);
                            })),
            "m.tflite: signature 0: \"condition\" is tensor 4294967295");
}

TEST(Reader, BuffersBehindTheTables) {
  const auto buffer = [](const schema::Model& m) { return m.buffers()->Get(1); };
  const WriteOptions behind = {.buffers_behind_tables = true};
  const auto with = [&](uint64_t offset, uint64_t size) {
    return Patched(
        SmallModel(),
        [&](const auto& m) {
          return Patch<uint64_t>(buffer(m), schema::Buffer::VT_OFFSET, offset) &&
                 Patch<uint64_t>(buffer(m), schema::Buffer::VT_SIZE, size);
        },
        behind);
  };
  const size_t size = SerializeModel(SmallModel(), behind).size();
  EXPECT_EQ(Verdict(with(size - 8, 8)), "");
  const auto outside = [&](uint64_t offset, uint64_t bytes) {
    return fmt::format("m.tflite: buffer 1: it takes {} bytes at offset {}, the file has {}", bytes, offset, size);
  };
  EXPECT_EQ(Verdict(with(size - 8, 9)), outside(size - 8, 9));
  EXPECT_EQ(Verdict(with(size + 1, 0)), outside(size + 1, 0));
  EXPECT_EQ(Verdict(with(UINT64_MAX, 8)), outside(UINT64_MAX, 8));
  EXPECT_EQ(Verdict(with(16, UINT64_MAX - 8)), outside(16, UINT64_MAX - 8));
  EXPECT_EQ(Verdict(with(16, 7)),
            "m.tflite: subgraph 0: tensor 1 \"w\": its data: 7 bytes, where 8 int8 elements take 8");
  // Offset 1 is what writers leave before they know better: no data, so nothing computes the tensor.
  EXPECT_THAT(Verdict(with(1, 8)), HasSubstr("op 0 FULLY_CONNECTED: input 1 is tensor 1 \"w\", which is neither"));
}

TEST(Reader, OverlappingBuffersAreBounded) {
  graph::ModelBuilder m;
  for (int i = 0; i < 8; ++i) {
    m.ConstantBytes("c", DType::kUInt8, {1000 + i},
                    std::vector<uint8_t>(static_cast<size_t>(1000 + i), static_cast<uint8_t>(i)));
  }
  const auto bytes = Patched(m.model(),
                             [](const schema::Model& model) {
                               for (uint32_t i = 1; i <= 8; ++i) {
                                 Patch<uint64_t>(model.buffers()->Get(i), schema::Buffer::VT_OFFSET, 8 + i);
                                 Patch<uint64_t>(model.buffers()->Get(i), schema::Buffer::VT_SIZE, 8000);
                               }
                               return true;
                             },
                             {.buffers_behind_tables = true});
  EXPECT_THAT(Verdict(bytes), StartsWith("m.tflite: its buffers overlap: 64000 bytes in a file of "));
}

TEST(Reader, MisalignedConstantsAreCopied) {
  graph::ModelBuilder m;
  const int c = m.Constant("c", Shape{3}, std::vector<int64_t>{1, 2, -3});
  m.Output(c);
  const WriteOptions behind = {.buffers_behind_tables = true};
  const std::vector<uint8_t> whole = SerializeModel(m.model(), behind);
  const uint64_t offset = schema::GetModel(whole.data())->buffers()->Get(1)->offset();
  for (const uint64_t shift : {1, 4, 8}) {
    std::vector<uint8_t> bytes = whole;
    const std::vector<uint8_t> data(bytes.begin() + static_cast<ptrdiff_t>(offset), bytes.end());
    bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(offset), shift, 0);
    Patch<uint64_t>(schema::GetModel(bytes.data())->buffers()->Get(1), schema::Buffer::VT_OFFSET, offset + shift);
    const auto model = ReadModel(bytes, "m.tflite");
    const auto span = model->subgraphs[0].tensors[0].data->bytes();
    EXPECT_EQ(std::vector<uint8_t>(span.begin(), span.end()), data);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(span.data()) % alignof(int64_t), 0U);
  }
  // A whole file at an odd address.
  const auto shifted = std::make_shared<std::vector<uint8_t>>(1);
  shifted->insert(shifted->end(), whole.begin(), whole.end());
  const auto model = ReadModel(std::span(*shifted).subspan(1), shifted, "m.tflite");
  EXPECT_EQ(graph::FirstDifference(m.model(), *model), "");
}

TEST(Reader, ConstantsAreNotCopied) {
  const auto bytes = std::make_shared<const std::vector<uint8_t>>(SerializeModel(SmallModel()));
  const auto model = ReadModel(*bytes, bytes, "m.tflite");
  const auto span = model->subgraphs[0].tensors[1].data->bytes();
  EXPECT_GE(span.data(), bytes->data());
  EXPECT_LE(span.data() + span.size(), bytes->data() + bytes->size());
  EXPECT_GT(bytes.use_count(), 1);
}

TEST(Reader, ConstantsLongerThanTheirShapeAreTrimmed) {
  graph::Model model = SmallModel();
  model.subgraphs[0].tensors[2].data = graph::Constant::Own(std::vector<uint8_t>(16));
  const auto read = ReadModel(Broken(model), "m.tflite");
  EXPECT_THAT(read->subgraphs[0].tensors[2].data->bytes(), SizeIs(8));
  EXPECT_THAT(read->warnings,
              ElementsAre("subgraph 0: tensor 2 \"b\": its shape [2] takes 8 of the 16 bytes of its data"));
  EXPECT_FALSE(read->has_unknown_fields);
  model.subgraphs[0].tensors[2].data = graph::Constant::Own(std::vector<uint8_t>(7));
  EXPECT_EQ(Verdict(Broken(model)),
            "m.tflite: subgraph 0: tensor 2 \"b\": its data: 7 bytes, where 2 int32 elements take 8");
}

TEST(Reader, OneZeroPointStandsForMany) {
  graph::Model model = SmallModel();
  std::vector<uint8_t> bytes = SerializeModel(model);
  const auto* quantization = schema::GetModel(bytes.data())->subgraphs()->Get(0)->tensors()->Get(1)->quantization();
  const auto* zero_points = quantization->zero_point();
  const_cast<flatbuffers::Vector<int64_t>*>(zero_points)->Mutate(0, 5);
  const uint32_t one = 1;
  std::memcpy(const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(zero_points)), &one, sizeof(one));
  EXPECT_THAT(ReadModel(bytes, "m")->subgraphs[0].tensors[1].quantization.zero_point, ElementsAre(5, 5));
  const uint32_t none = 0;
  std::memcpy(const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(zero_points)), &none, sizeof(none));
  EXPECT_THAT(ReadModel(bytes, "m")->subgraphs[0].tensors[1].quantization.zero_point, ElementsAre(0, 0));
}

TEST(Reader, EveryRuleOfTheGraphHolds) {
  // The rules have tests of their own beside graph::Verify; these show that what the file says reaches them.
  const auto verdict = [](const std::function<void(graph::Model&)>& change) {
    graph::Model model = SmallModel();
    change(model);
    return Verdict(Broken(model));
  };
  EXPECT_EQ(verdict([](graph::Model& m) { m.subgraphs[0].operators[0].inputs[2] = 999; }),
            "m.tflite: subgraph 0: op 0 FULLY_CONNECTED: input 2 is tensor 999, the subgraph has 4");
  EXPECT_EQ(verdict([](graph::Model& m) {
              m.subgraphs[0].tensors[0].shape = Shape{-1, 4};
            }),
            "m.tflite: subgraph 0: tensor 0 \"x\": dimension 0 of shape [-1,4] is negative");
  EXPECT_EQ(
      verdict([](graph::Model& m) {
        m.subgraphs[0].tensors[0].shape = Shape{0x7fffffff, 0x7fffffff};
      }),
      "m.tflite: subgraph 0: tensor 0 \"x\": the dimensions of shape [2147483647,2147483647] multiply to more than "
      "68719476736");
  EXPECT_EQ(verdict([](graph::Model& m) {
              m.subgraphs[0].tensors[1].quantization.scale[1] = std::bit_cast<float>(0x7fc00000);
            }),
            "m.tflite: subgraph 0: tensor 1 \"w\": scale 1 is nan");
  EXPECT_EQ(verdict([](graph::Model& m) { m.subgraphs[0].tensors[1].quantization.scale[0] = 0; }),
            "m.tflite: subgraph 0: tensor 1 \"w\": scale 0 is 0");
  EXPECT_EQ(verdict([](graph::Model& m) { m.subgraphs.clear(), m.signatures.clear(); }),
            "m.tflite: the model has no subgraph");
  EXPECT_EQ(verdict([](graph::Model& m) { m.signatures[0].subgraph = 1; }),
            "m.tflite: signature 0 \"serving_default\": it is of subgraph 1, the model has 1");
  graph::Model model = RichModel();
  model.subgraphs[0].operators[3].attributes.Set("then_subgraph_index", int64_t{0});
  EXPECT_EQ(Verdict(Broken(model)), "m.tflite: subgraph 0: op 3 IF: it calls the subgraph that it is part of");
  model = RichModel();
  model.subgraphs[0].tensors[10].sparsity->dimensions[1].indices[0] = 7;
  EXPECT_EQ(Verdict(Broken(model)),
            "m.tflite: subgraph 0: tensor 10 \"sparse\": its data: sparsity: index 0 of level 1 is 7, "
            "out of order or of the range of 2");
}

TEST(Reader, TextMustBeUtf8) {
  graph::Model model = SmallModel();
  model.subgraphs[0].tensors[0].name = "caf\xe9";
  EXPECT_EQ(Verdict(SerializeModel(model)), "m.tflite: subgraph 0: tensor 0 \"caf?\": its name is not UTF-8");
  model.subgraphs[0].tensors[0].name = "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\xb0";
  EXPECT_EQ(Verdict(SerializeModel(model)), "");
}

TEST(Reader, SharedTablesCannotUnfoldWithoutBound) {
  // 100,000 times the same tensor, whose list of minima has 100,000 entries: 800 kB that would unfold to 40 GB.
  flatbuffers::FlatBufferBuilder builder;
  const auto minima = builder.CreateVector(std::vector<float>(100'000));
  const auto quantization = schema::CreateQuantizationParameters(builder, minima);
  const auto tensor = schema::CreateTensor(builder, 0, schema::TensorType::INT8, 0, 0, quantization);
  const auto tensors = builder.CreateVector(std::vector<flatbuffers::Offset<schema::Tensor>>(100'000, tensor));
  const auto subgraph = schema::CreateSubGraph(builder, tensors);
  const auto subgraphs = builder.CreateVector(&subgraph, 1);
  builder.Finish(schema::CreateModel(builder, 3, 0, subgraphs), schema::ModelIdentifier());
  EXPECT_THAT(Verdict({builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()}),
              HasSubstr("its tables unfold to more than"));
}

TEST(Reader, LimitsAreHeldWhileReading) {
  const std::vector<uint8_t> bytes = SerializeModel(RichModel());
  EXPECT_EQ(Verdict(bytes, {.max_subgraphs = 3}), "m.tflite: subgraph 3: the limit is 3 subgraphs");
  EXPECT_EQ(Verdict(bytes, {.max_tensors = 5}), "m.tflite: subgraph 0: the limit is 5 tensors");
  EXPECT_EQ(Verdict(bytes, {.max_operators = 5}), "m.tflite: subgraph 0: the limit is 5 operators");
}

TEST(Reader, OldFiles) {
  // Before the second field of the operator code, before lists of dimensions for scalars, before names.
  flatbuffers::FlatBufferBuilder builder;
  const auto code = schema::CreateOperatorCode(builder, 19);
  const auto codes = builder.CreateVector(&code, 1);
  const std::vector<flatbuffers::Offset<schema::Tensor>> tensors = {schema::CreateTensor(builder),
                                                                    schema::CreateTensor(builder)};
  const auto tensor_list = builder.CreateVector(tensors);
  const std::vector<int32_t> zero = {0}, one = {1};
  const auto inputs = builder.CreateVector(zero), outputs = builder.CreateVector(one);
  const auto op = schema::CreateOperator(builder, 0, inputs, outputs);
  const auto ops = builder.CreateVector(&op, 1);
  const auto subgraph = schema::CreateSubGraph(builder, tensor_list, inputs, outputs, ops);
  const auto subgraphs = builder.CreateVector(&subgraph, 1);
  builder.Finish(schema::CreateModel(builder, 3, codes, subgraphs), schema::ModelIdentifier());
  const auto model =
      ReadModel({builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()}, "old.tflite");
  EXPECT_EQ(model->subgraphs[0].operators[0].code, graph::BuiltinOp::kRelu);
  EXPECT_EQ(model->subgraphs[0].operators[0].version, 1);
  EXPECT_EQ(model->subgraphs[0].tensors[0].shape.rank(), 0);
  EXPECT_EQ(model->subgraphs[0].tensors[0].dtype, DType::kFloat32);
}

struct Unknown {
  std::string warning;
  std::vector<uint8_t> bytes;
};

// A table that has one field more than the schema's, as its last.
template <typename Fill>
std::vector<uint8_t> WithExtraField(const Fill& fill) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fill(builder), schema::ModelIdentifier());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

TEST(Reader, WhatIsUnknownIsReadWithAWarningAndNotRewritten) {
  const auto field = [](int index) {
    return flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(index));
  };
  const auto model_of = [](flatbuffers::FlatBufferBuilder& b, flatbuffers::Offset<schema::Tensor> tensor) {
    const auto tensors = b.CreateVector(&tensor, 1);
    const auto subgraph = schema::CreateSubGraph(b, tensors);
    return b.CreateVector(&subgraph, 1);
  };
  const std::vector<Unknown> cases = {
      {"the model holds fields that this version does not know", WithExtraField([&](auto& b) {
         const auto subgraphs = model_of(b, schema::CreateTensor(b));
         const auto start = b.StartTable();
         b.template AddElement<uint32_t>(schema::Model::VT_VERSION, 3);
         b.AddOffset(schema::Model::VT_SUBGRAPHS, subgraphs);
         b.template AddElement<int32_t>(field(10), 1);
         return flatbuffers::Offset<schema::Model>(b.EndTable(start));
       })},
      {"subgraph 0: tensor 0 holds fields that this version does not know", WithExtraField([&](auto& b) {
         const auto start = b.StartTable();
         b.template AddElement<int32_t>(field(11), 1);
         const auto subgraphs = model_of(b, flatbuffers::Offset<schema::Tensor>(b.EndTable(start)));
         return schema::CreateModel(b, 3, 0, subgraphs);
       })},
      {"subgraph 0: tensor 0: details of quantization of kind 77 are ignored", WithExtraField([&](auto& b) {
         const auto details = schema::CreateCustomQuantization(b).Union();
         const auto quantization =
             schema::CreateQuantizationParameters(b, 0, 0, 0, 0, static_cast<schema::QuantizationDetails>(77), details);
         const auto subgraphs = model_of(b, schema::CreateTensor(b, 0, schema::TensorType::INT8, 0, 0, quantization));
         return schema::CreateModel(b, 3, 0, subgraphs);
       })},
      {"operator code 0 is 210, an operator that this version does not know",
       Patched(SmallModel(),
               [](const schema::Model& m) {
                 return Patch<int32_t>(m.operator_codes()->Get(0), schema::OperatorCode::VT_BUILTIN_CODE, 210);
               })},
      {"subgraph 0: op 0: options of kind 200 are not known and ignored",
       Patched(SmallModel(),
               [](const schema::Model& m) {
                 return Patch<uint8_t>(m.subgraphs()->Get(0)->operators()->Get(0),
                                       schema::Operator::VT_BUILTIN_OPTIONS_TYPE, 200);
               })},
      {"subgraph 0: op 0: options of kind PadOptions are not this operator's and ignored",
       Patched(SmallModel(),
               [](const schema::Model& m) {
                 return Patch<uint8_t>(m.subgraphs()->Get(0)->operators()->Get(0),
                                       schema::Operator::VT_BUILTIN_OPTIONS_TYPE,
                                       static_cast<uint8_t>(schema::BuiltinOptions::PadOptions));
               })},
      {"subgraph 0: op 0: options of kind 2:99 are not known and ignored",
       [] {
         graph::Model model = SmallModel();
         graph::Operator& op = model.subgraphs[0].operators[0];
         op.code = graph::BuiltinOp::kDilate, op.options_table = "DilateOptions", op.attributes = {};
         return Patched(model, [](const schema::Model& m) {
           return Patch<uint8_t>(m.subgraphs()->Get(0)->operators()->Get(0), schema::Operator::VT_BUILTIN_OPTIONS2_TYPE,
                                 99);
         });
       }()},
  };
  for (const Unknown& unknown : cases) {
    const auto model = ReadModel(unknown.bytes, "new.tflite");
    EXPECT_THAT(model->warnings, ElementsAre(unknown.warning));
    EXPECT_TRUE(model->has_unknown_fields);
    EXPECT_THROW(SerializeModel(*model), Error) << unknown.warning;
  }
}

TEST(Reader, WarningsAreFew) {
  graph::ModelBuilder m;
  for (int i = 0; i < 1000; ++i) m.ConstantBytes("c", DType::kInt8, {1}, {1, 2});
  EXPECT_THAT(ReadModel(Broken(m.model()), "m.tflite")->warnings, SizeIs(21));
}

TEST(Reader, SignaturesOfCutModelsAreKept) {
  graph::Model model = SmallModel();
  model.signatures[0].inputs[0].tensor = 1;
  const auto read = ReadModel(SerializeModel(model), "m.tflite");
  EXPECT_THAT(read->warnings,
              ElementsAre("signature \"serving_default\": input \"input\" is not an input of its subgraph"));
  EXPECT_FALSE(read->has_unknown_fields);
}

TEST(Reader, CustomOptionsMayLieBehindTheTables) {
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString("MyOp");
  const auto code = schema::CreateOperatorCode(builder, 32, name, 1, schema::BuiltinOperator::CUSTOM);
  const auto codes = builder.CreateVector(&code, 1);
  const auto start = builder.StartTable();
  builder.AddElement<uint64_t>(schema::Operator::VT_LARGE_CUSTOM_OPTIONS_OFFSET, 1);
  builder.AddElement<uint64_t>(schema::Operator::VT_LARGE_CUSTOM_OPTIONS_SIZE, 3);
  const flatbuffers::Offset<schema::Operator> op(builder.EndTable(start));
  const auto ops = builder.CreateVector(&op, 1);
  const auto subgraph = schema::CreateSubGraph(builder, 0, 0, 0, ops);
  const auto subgraphs = builder.CreateVector(&subgraph, 1);
  builder.Finish(schema::CreateModel(builder, 3, codes, subgraphs), schema::ModelIdentifier());
  std::vector<uint8_t> bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  const size_t offset = bytes.size();
  bytes.insert(bytes.end(), {7, 8, 9});
  const auto set = [&](uint64_t value) {
    Patch<uint64_t>(schema::GetModel(bytes.data())->subgraphs()->Get(0)->operators()->Get(0),
                    schema::Operator::VT_LARGE_CUSTOM_OPTIONS_OFFSET, value);
  };
  EXPECT_THAT(ReadModel(bytes, "m")->subgraphs[0].operators[0].custom_options, IsEmpty());
  set(offset);
  const auto model = ReadModel(bytes, "m");
  EXPECT_THAT(model->subgraphs[0].operators[0].custom_options, ElementsAre(7, 8, 9));
  EXPECT_EQ(model->subgraphs[0].operators[0].Name(), "MyOp");
  EXPECT_EQ(graph::FirstDifference(*model, *ReadModel(SerializeModel(*model), "again")), "");
  set(offset + 1);
  EXPECT_THAT(Verdict(bytes), HasSubstr("op 0 MyOp: its custom options take 3 bytes at offset"));
}

}  // namespace
}  // namespace assay::tflite
