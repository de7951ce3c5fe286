// Models for the tests of the format: one that uses everything a file can hold, and ways to break files.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <string>
#include <vector>

#include "format/tflite/options.h"
#include "format/tflite/schema_generated.h"
#include "format/tflite/writer.h"
#include "graph/model_builder.h"

namespace assay::tflite {

// A ZIP archive of one stored file, "a.txt" with "hi".
inline std::vector<uint8_t> SmallArchive() {
  std::vector<uint8_t> zip;
  const auto put = [&](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) zip.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  const auto text = [&](std::string_view s) { zip.insert(zip.end(), s.begin(), s.end()); };
  const auto common = [&] {  // version, flags, method, time, date, CRC-32, sizes, length of the name
    put(20, 2), put(0, 2), put(0, 2), put(0, 2), put(0x21, 2), put(0xd8932aac, 4), put(2, 4), put(2, 4), put(5, 2);
  };
  put(0x04034b50, 4), common(), put(0, 2), text("a.txt"), text("hi");
  const size_t directory = zip.size();
  put(0x02014b50, 4), put(20, 2), common(), put(0, 2), put(0, 2), put(0, 2), put(0, 2), put(0, 4), put(0, 4);
  text("a.txt");
  const size_t size = zip.size() - directory;
  put(0x06054b50, 4), put(0, 2), put(0, 2), put(1, 2), put(1, 2), put(size, 4), put(directory, 4), put(0, 2);
  return zip;
}

// x -> FULLY_CONNECTED -> y, small enough to flip each of its bits.
inline graph::Model SmallModel() {
  graph::ModelBuilder m;
  const int x = m.Input("x", DType::kInt8, {1, 4}, graph::ModelBuilder::PerTensor(0.5F, 3));
  const int w = m.Constant("w", Shape{2, 4}, std::vector<int8_t>{1, -2, 3, -4, 5, -6, 7, -8},
                           graph::ModelBuilder::PerChannel({0.25F, 0.125F}, 0));
  const int b = m.Constant("b", Shape{2}, std::vector<int32_t>{100, -100});
  const int y = m.Tensor("y", DType::kInt8, {1, 2}, graph::ModelBuilder::PerTensor(1.5F, -7));
  m.Op(graph::BuiltinOp::kFullyConnected, {x, w, b}, {y}, {{"fused_activation_function", 1}}).version = 4;
  m.Output(y);
  m.model().signatures.push_back({"serving_default", 0, {{"input", x}}, {{"output", y}}});
  return m.model();
}

// Everything that the format knows, in one model that no engine could run.
inline graph::Model RichModel() {
  using graph::kNoTensor;
  graph::ModelBuilder m;
  m.model().description = "everything at once";
  const int x = m.Input("x", DType::kFloat32, {1, 4});
  m.tensor(x).shape_signature = std::vector<int32_t>{-1, 4};
  m.tensor(x).has_rank = true;
  const int condition = m.Input("condition", DType::kBool, Shape{});
  const int state = m.Variable("state", DType::kFloat32, {1, 4});
  const int int4 = m.ConstantBytes("int4", DType::kInt4, {3, 3}, {0x21, 0x43, 0x65, 0x87, 0x09},
                                   graph::ModelBuilder::PerChannel({1, 2, 3}, 1));
  m.tensor(int4).quantization.min = {-8, -16, -24};
  m.tensor(int4).quantization.max = {7, 14, 21};
  const int int2 = m.ConstantBytes("int2", DType::kInt2, {5}, {0x1b, 0x02});
  // ["a", "", "bcd"]
  const int strings = m.ConstantBytes("strings", DType::kString, {3}, {3,  0, 0, 0, 20, 0, 0, 0, 21,  0,   0,   0,
                                                                       21, 0, 0, 0, 24, 0, 0, 0, 'a', 'b', 'c', 'd'});
  const int flags = m.ConstantBytes("flags", DType::kBool, {2}, {1, 0});
  const int empty = m.ConstantBytes("empty", DType::kInt32, {0}, {});
  const int wide = m.Constant("wide", Shape{2}, std::vector<int64_t>{1, -1});
  const int twin = m.Constant("twin of wide", Shape{2}, std::vector<int64_t>{1, -1});
  // A 4x4 matrix in blocks of 2x2; block row 0 keeps block column 1, block row 1 keeps both.
  std::vector<float> kept(12);
  for (size_t i = 0; i < kept.size(); ++i) kept[i] = static_cast<float>(i);
  const int sparse = m.Tensor("sparse", DType::kFloat32, {4, 4});
  std::vector<uint8_t> bytes(kept.size() * sizeof(float));
  std::memcpy(bytes.data(), kept.data(), bytes.size());
  m.tensor(sparse).data = graph::Constant::Own(bytes);
  m.tensor(sparse).sparsity = graph::Sparsity{{0, 1, 2, 3},
                                              {0, 1},
                                              {{false, 2, {}, {}, 0, 0},
                                               {true, 0, {0, 1, 3}, {1, 0, 1}, 1, 3},
                                               {false, 2, {}, {}, 0, 0},
                                               {false, 2, {}, {}, 0, 0}}};
  const int scales = m.Constant("scales", Shape{2}, std::vector<float>{1, 2});
  const int blockwise = m.ConstantBytes("blockwise", DType::kInt8, {4}, {1, 2, 3, 4});
  m.tensor(blockwise).blockwise = graph::BlockwiseQuantization{scales, kNoTensor, 2, {2}};
  const int axes = m.ConstantBytes("axes", DType::kUInt4, {2, 2}, {0x21, 0x43});
  m.tensor(axes).multi_axis = graph::MultiAxisQuantization{scales, kNoTensor, 1, {0, 1}};
  const int custom = m.ConstantBytes("custom", DType::kFloat8E4M3FN, {1}, {7});
  m.tensor(custom).custom_quantization = {9, 8, 7};
  const int resource = m.Tensor("resource", DType::kResource, Shape{});
  const int variant = m.Tensor("variant", DType::kVariant, Shape{});
  m.tensor(variant).variant_tensors = {{Shape{2, 3}, DType::kInt16, true}, {Shape{}, DType::kComplex128, false}};
  const int outside = m.Tensor("outside", DType::kFloat32, {8});
  m.tensor(outside).external_buffer = 5;
  const int a = m.Tensor("a", DType::kFloat32, {1, 4}), b = m.Tensor("b", DType::kFloat32, {1, 4});
  const int c = m.Tensor("c", DType::kFloat32, {1, 4}), d = m.Tensor("d", DType::kFloat32, {1, 4});
  const int scratch = m.Tensor("scratch", DType::kInt16, {4}, graph::ModelBuilder::PerTensor(0.5F));

  m.Op(graph::BuiltinOp::kVarHandle, {}, {resource}, {{"container", ""}, {"shared_name", "counter"}});
  m.Op(graph::BuiltinOp::kCallOnce, {}, {}, {{"init_subgraph_index", 3}});
  auto& lstm = m.Op(graph::BuiltinOp::kUnidirectionalSequenceLstm, {x, kNoTensor, state}, {a},
                    {{"fused_activation_function", 4}, {"cell_clip", 10.0}, {"time_major", true}});
  lstm.intermediates = {scratch, kNoTensor};
  lstm.mutating_variable_inputs = {false, false, true};
  lstm.version = 3;
  m.Op(graph::BuiltinOp::kIf, {condition, a}, {b}, {{"then_subgraph_index", 1}, {"else_subgraph_index", 2}});
  m.CustomOp("MyOp", {b, int4, int2, strings, flags, empty, wide, twin, sparse, blockwise, axes, custom, outside},
             {c, variant}, {1, 2, 3, 0, 255})
      .debug_metadata_index = 17;
  auto& composite = m.Op(graph::BuiltinOp::kStablehloComposite, {c}, {d},
                         {{"name", "my.gelu"},
                          {"decomposition_subgraph_index", 2},
                          {"composite_attributes", std::string("\0\1\2", 3)},
                          {"version", 1}});
  composite.version = 1;
  m.Output(d);
  m.Output(wide);
  for (const char* name : {"then", "else"}) {
    m.NewSubgraph(name);
    const int in = m.Input("in", DType::kFloat32, {1, 4}), out = m.Tensor("out", DType::kFloat32, {1, 4});
    m.Op(name[0] == 't' ? graph::BuiltinOp::kRelu : graph::BuiltinOp::kAbs, {in}, {out});
    m.Output(out);
  }
  m.NewSubgraph("init");
  m.subgraph().debug_metadata_index = 4;
  m.model().signatures = {{"serve", 0, {{"x", x}, {"condition", condition}}, {{"d", d}}}, {"empty", 3, {}, {}}};
  m.model().metadata = {{"min_runtime_version", graph::Constant::Own({'2', '.', '9', 0})},
                        {"nothing", graph::Constant()},
                        {"same bytes as wide", *m.model().subgraphs[0].tensors[static_cast<size_t>(wide)].data}};
  m.model().legacy_metadata = {graph::Constant::Own({4, 2})};
  m.model().external_buffer_groups = {"weights.bin", ""};
  m.model().external_buffers = {{5, 1, uint64_t{1} << 40, 32, "none"}};
  m.model().appended_archive = graph::Constant::Own(SmallArchive());
  return m.model();
}

// Sets a scalar field that the table gives. False where it does not give it.
template <typename T, typename S>
bool Patch(const S* table, flatbuffers::voffset_t field, T value) {
  return const_cast<flatbuffers::Table*>(reinterpret_cast<const flatbuffers::Table*>(table))->SetField<T>(field, value);
}

}  // namespace assay::tflite
