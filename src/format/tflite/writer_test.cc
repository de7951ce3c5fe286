#include "format/tflite/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "base/error.h"
#include "base/mapped_file.h"
#include "format/tflite/reader.h"
#include "format/tflite/test_models.h"
#include "graph/difference.h"

namespace assay::tflite {
namespace {

using graph::FirstDifference;
using testing::HasSubstr;

std::string ErrorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    return error.what();
  }
  return "no error";
}

std::shared_ptr<const graph::Model> RoundTrip(const graph::Model& model, const WriteOptions& options = {}) {
  return ReadModel(SerializeModel(model, options), "written");
}

TEST(Writer, ReadingBackGivesTheSameGraph) {
  for (const graph::Model& model : {SmallModel(), RichModel()}) {
    for (const bool behind : {false, true}) {
      const auto copy = RoundTrip(model, {.buffers_behind_tables = behind});
      EXPECT_EQ(FirstDifference(model, *copy), "");
      EXPECT_THAT(copy->warnings, testing::IsEmpty());
      EXPECT_EQ(SerializeModel(*copy, {.buffers_behind_tables = behind}),
                SerializeModel(model, {.buffers_behind_tables = behind}));
    }
  }
}

TEST(Writer, ConstantsWithTheSameBytesAreStoredOnce) {
  graph::ModelBuilder m;
  const int x = m.Input("x", DType::kFloat32, {1000});
  std::vector<float> values(1000, 1.0F);
  for (int i = 0; i < 10; ++i) {
    const int w = m.Constant("w", Shape{1000}, values), y = m.Tensor("y", DType::kFloat32, {1000});
    m.Op(graph::BuiltinOp::kAdd, {x, w}, {y});
    m.Output(y);
  }
  for (const bool behind : {false, true}) {
    const auto bytes = SerializeModel(m.model(), {.buffers_behind_tables = behind});
    EXPECT_GT(bytes.size(), 4000U);
    EXPECT_LT(bytes.size(), 8000U);
  }
}

TEST(Writer, ConstantsLieAtMultiplesOf16Bytes) {
  for (const bool behind : {false, true}) {
    const auto bytes =
        std::make_shared<std::vector<uint8_t>>(SerializeModel(RichModel(), {.buffers_behind_tables = behind}));
    const auto model = ReadModel(*bytes, bytes, "model");
    size_t seen = 0;
    for (const graph::Tensor& tensor : model->subgraphs[0].tensors) {
      if (!tensor.data || tensor.data->bytes().empty()) continue;
      const auto at = tensor.data->bytes().data() - bytes->data();
      EXPECT_EQ(at % 16, 0) << tensor.name;
      EXPECT_LT(static_cast<size_t>(at), bytes->size()) << tensor.name << " was copied";
      ++seen;
    }
    EXPECT_GE(seen, 9U);
  }
}

TEST(Writer, EveryOptionOfEveryTableSurvives) {
  std::mt19937_64 random(1);
  size_t tables = 0, fields = 0;
  for (const bool second : {false, true}) {
    for (int id = 1; id < 256; ++id) {
      const OptionsTable* table = FindOptionsTable(static_cast<uint8_t>(id), second);
      if (table == nullptr) break;
      graph::ModelBuilder m;  // subgraph 0 stays empty: the one that an absent index means
      m.NewSubgraph("caller");
      const int x = m.Input("x", DType::kFloat32, {1}), y = m.Tensor("y", DType::kFloat32, {1});
      graph::Operator& op = m.Op(graph::BuiltinOp::kRelu, {x}, {y});
      op.options_table = table->name;
      for (size_t i = 0; i < table->type->num_elems; ++i) {
        const flatbuffers::TypeCode& code = table->type->type_codes[i];
        const std::string name = table->type->names[i];
        const bool index = name.find("subgraph") != std::string::npos || name == "called_computations";
        const auto integer = [&]() -> int64_t {
          if (index) return 0;
          if (code.base_type == flatbuffers::ET_BOOL) return 1;
          switch (code.base_type) {
            case flatbuffers::ET_CHAR:
              return static_cast<int8_t>(random());
            case flatbuffers::ET_INT:
              return static_cast<int32_t>(random());
            case flatbuffers::ET_UINT:
              return static_cast<uint32_t>(random());
            default:
              EXPECT_EQ(code.base_type, flatbuffers::ET_LONG) << name;
              return static_cast<int64_t>(random());
          }
        };
        ++fields;
        if (code.base_type == flatbuffers::ET_STRING || code.base_type == flatbuffers::ET_UCHAR) {
          op.attributes.Set(name, std::string("t\0xt", 4));
        } else if (code.base_type == flatbuffers::ET_FLOAT) {
          const double value = static_cast<float>(random()) * -1e-30F;
          if (code.is_repeating)
            op.attributes.Set(name, std::vector<double>{value, 0.0, -0.0});
          else
            op.attributes.Set(name, value);
        } else if (code.is_repeating) {
          op.attributes.Set(name, std::vector<int64_t>{integer(), integer(), integer()});
        } else {
          op.attributes.Set(name, integer());
        }
      }
      m.Output(y);
      graph::Model model = m.model();
      EXPECT_EQ(FirstDifference(model, *RoundTrip(model)), "") << table->name;
      // Defaults that the file gives stay given; what it does not give stays absent.
      model.subgraphs[1].operators[0].attributes = {};
      EXPECT_EQ(FirstDifference(model, *RoundTrip(model)), "") << table->name;
      ++tables;
    }
  }
  EXPECT_EQ(tables, 126U + 23U);
  EXPECT_GT(fields, 200U);
}

TEST(Writer, EveryBuiltinOperatorSurvivesAndHasAnOptionsTable) {
  for (const graph::BuiltinOpFacts& facts : graph::AllBuiltinOps()) {
    EXPECT_EQ(schema::EnumNamesBuiltinOperator()[static_cast<int>(facts.op)], facts.name);
    EXPECT_TRUE(facts.options.empty() || FindOptionsTable(facts.options) != nullptr) << facts.options;
    graph::ModelBuilder m;
    m.NewSubgraph("leaf");
    m.SelectSubgraph(0);
    const int x = m.Input("x", DType::kFloat32, {1}), y = m.Tensor("y", DType::kFloat32, {1});
    graph::Operator& op = m.Op(facts.op, {x}, {y});
    for (const graph::SubgraphReference& reference : graph::SubgraphReferences()) {
      if (reference.table == op.options_table && !reference.is_list) op.attributes.Set(reference.field, int64_t{1});
    }
    m.Output(y);
    EXPECT_EQ(FirstDifference(m.model(), *RoundTrip(m.model())), "") << facts.name;
  }
}

TEST(Writer, KnowsEveryOptionThatNamesASubgraph) {
  size_t found = 0;
  for (const bool second : {false, true}) {
    for (int id = 1; id < 256; ++id) {
      const OptionsTable* table = FindOptionsTable(static_cast<uint8_t>(id), second);
      if (table == nullptr) break;
      for (size_t i = 0; i < table->type->num_elems; ++i) {
        const std::string_view name = table->type->names[i];
        if (name.find("subgraph") == std::string_view::npos && name != "called_computations") continue;
        ++found;
        const auto all = graph::SubgraphReferences();
        EXPECT_TRUE(std::any_of(all.begin(), all.end(),
                                [&](const graph::SubgraphReference& reference) {
                                  return reference.table == table->name && reference.field == name &&
                                         reference.is_list == (table->type->type_codes[i].is_repeating != 0);
                                }))
            << table->name << '.' << name;
      }
    }
  }
  EXPECT_EQ(found, graph::SubgraphReferences().size());
}

TEST(Writer, RefusesWhatItCannotKeep) {
  graph::Model model = SmallModel();
  model.source = "in.tflite";
  model.has_unknown_fields = true;
  model.warnings = {"op 3 is odd"};
  EXPECT_EQ(
      ErrorOf([&] { SerializeModel(model); }),
      "in.tflite: it holds what only a newer version of the format knows; rewriting would lose that (op 3 is odd)");

  model = SmallModel();
  graph::Operator& op = model.subgraphs[0].operators[0];
  const auto error = [&] { return ErrorOf([&] { SerializeModel(model); }); };
  op.attributes.Set("axis", int64_t{1});
  EXPECT_THAT(error(), HasSubstr("op 0 FULLY_CONNECTED: FullyConnectedOptions has no option axis"));
  op.attributes = {};
  op.attributes.Set("fused_activation_function", int64_t{200});
  EXPECT_THAT(error(), HasSubstr("option fused_activation_function is 200, which its type does not hold"));
  op.attributes.Set("fused_activation_function", 1.5);
  EXPECT_THAT(error(), HasSubstr("option fused_activation_function is not an integer"));
  op.attributes = {};
  op.attributes.Set("quant_spec", int64_t{1});
  EXPECT_THAT(error(), HasSubstr("option quant_spec is not a string of bytes"));
  op.options_table = "ReshapeOptions";
  op.attributes = {};
  op.attributes.Set("new_shape", int64_t{1});
  EXPECT_THAT(error(), HasSubstr("option new_shape is not a list of numbers"));
  op.options_table = "SoftmaxOptions";
  op.attributes = {};
  op.attributes.Set("beta", int64_t{1});
  EXPECT_THAT(error(), HasSubstr("option beta is not a floating-point number"));
  op.options_table = "VarHandleOptions";
  op.attributes = {};
  op.attributes.Set("container", int64_t{1});
  EXPECT_THAT(error(), HasSubstr("option container is not a string"));
  op.options_table = "NoSuchOptions";
  EXPECT_THAT(error(), HasSubstr("the format has no options NoSuchOptions"));
  op.options_table = "";
  op.code = graph::BuiltinOp::kRelu;
  EXPECT_THAT(error(), HasSubstr("op 0 RELU: it takes no options"));

  model = RichModel();
  model.appended_archive = graph::Constant::Own({1, 2, 3});
  EXPECT_THAT(error(), HasSubstr("the appended archive is not a ZIP file"));
}

TEST(Writer, RefusesABrokenModel) {
  graph::Model model = SmallModel();
  model.subgraphs[0].operators[0].inputs[1] = 9;
  EXPECT_THAT(ErrorOf([&] { SerializeModel(model); }),
              HasSubstr("op 0 FULLY_CONNECTED: input 1 is tensor 9, the subgraph has 4"));
}

TEST(Writer, WritesFilesWhollyAndOverTheirOwnSource) {
  const std::string path = testing::TempDir() + "writer_test.tflite";
  graph::Model model = RichModel();
  WriteModel(model, path);
  const auto read = ReadModel(path);
  EXPECT_EQ(read->source, path);
  EXPECT_EQ(read->file_bytes, std::filesystem::file_size(path));
  WriteModel(*read, path, {.buffers_behind_tables = true});
  EXPECT_EQ(FirstDifference(model, *ReadModel(path)), "");
  EXPECT_EQ(FirstDifference(model, *read), "");
  EXPECT_THAT(ErrorOf([&] { WriteModel(model, "/no/such/folder/x.tflite"); }), HasSubstr("/no/such/folder/x.tflite"));
  std::filesystem::remove(path);
}

TEST(Writer, RewritesEveryModelOfTheTestData) {
  const char* folder = std::getenv("ASSAY_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "ASSAY_TEST_DATA names no folder with models";
  size_t models = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".tflite") continue;
    const auto model = ReadModel(entry.path());
    for (const bool behind : {false, true}) {
      EXPECT_EQ(FirstDifference(*model, *RoundTrip(*model, {.buffers_behind_tables = behind})), "") << entry.path();
    }
    ++models;
  }
  EXPECT_GT(models, 0U);
}

TEST(Writer, ModelsBeyond2GiB) {
  if (std::getenv("ASSAY_TEST_LARGE") == nullptr) GTEST_SKIP() << "ASSAY_TEST_LARGE is not set: it takes 5 GB";
  constexpr int32_t kSize = 450'000'000;
  graph::ModelBuilder m;
  const int indices = m.Input("indices", DType::kInt32, {3});
  for (int i = 0; i < 5; ++i) {
    std::vector<uint8_t> bytes(kSize);
    bytes[0] = static_cast<uint8_t>(1 + i);
    bytes[kSize - 1] = static_cast<uint8_t>(101 + i);
    const int table = m.ConstantBytes("table", DType::kUInt8, {kSize}, std::move(bytes));
    const int out = m.Tensor("out", DType::kUInt8, {3});
    m.Op(graph::BuiltinOp::kGather, {table, indices}, {out}, {{"axis", 0}}).version = 2;
    m.Output(out);
  }
  const std::string path = testing::TempDir() + "beyond_2gib.tflite";
  WriteModel(m.model(), path);
  EXPECT_GT(std::filesystem::file_size(path), uint64_t{1} << 31);
  EXPECT_EQ(FirstDifference(m.model(), *ReadModel(path)), "");
  if (std::getenv("ASSAY_KEEP_LARGE") == nullptr) std::filesystem::remove(path);
}

TEST(FirstDifference, NamesThePlace) {
  const graph::Model a = RichModel();
  graph::Model b = a;
  EXPECT_EQ(FirstDifference(a, b), "");
  b.subgraphs[0].tensors[0].shape = Shape{1, 5};
  EXPECT_EQ(FirstDifference(a, b), "subgraph 0: tensor 0 \"x\": shape: [1,4] and [1,5]");
  b = a;
  b.subgraphs[0].operators[2].attributes.Set("cell_clip", 11.0);
  EXPECT_THAT(FirstDifference(a, b), HasSubstr("subgraph 0: op 2 UNIDIRECTIONAL_SEQUENCE_LSTM: option cell_clip"));
  b = a;
  b.metadata[0].data = graph::Constant::Own({'2', '.', '8', 0});
  EXPECT_EQ(FirstDifference(a, b), "metadata 0: data: the same in kind (4 bytes), different in value");
  b = a;
  b.subgraphs.pop_back();
  EXPECT_EQ(FirstDifference(a, b), "number of subgraphs: 4 and 3");
}

}  // namespace
}  // namespace assay::tflite
