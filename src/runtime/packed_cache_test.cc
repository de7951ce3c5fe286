// Packed constants that come from a file give the same results, whatever the file holds.
#include "ops/packed_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/checksum.h"
#include "base/mapped_file.h"
#include "base/random.h"
#include "graph/model_builder.h"
#include "kernels/simd/test_targets.h"
#include "kernels/simd/transpose_conv.h"
#include "ops/packed_codes.h"
#include "runtime/interpreter.h"
#include "runtime/run_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;
using ops::PackedCache;
using ops::PackedFile;

enum class Form { kPlain, kDepthwise, kTransposed, kMatMul };
struct Kind {
  DType activations, weights;
  Form form;
};
constexpr Kind kKinds[] = {
    {DType::kInt8, DType::kInt8, Form::kPlain},         {DType::kInt8, DType::kInt8, Form::kDepthwise},
    {DType::kUInt8, DType::kUInt8, Form::kPlain},       {DType::kUInt8, DType::kUInt8, Form::kDepthwise},
    {DType::kFloat32, DType::kFloat32, Form::kPlain},   {DType::kFloat32, DType::kInt8, Form::kPlain},
    {DType::kInt16, DType::kInt8, Form::kPlain},        {DType::kInt16, DType::kInt8, Form::kDepthwise},
    {DType::kInt8, DType::kInt8, Form::kTransposed},    {DType::kUInt8, DType::kUInt8, Form::kTransposed},
    {DType::kFloat32, DType::kInt8, Form::kTransposed}, {DType::kFloat32, DType::kFloat32, Form::kTransposed},
    {DType::kInt16, DType::kInt8, Form::kTransposed},   {DType::kInt8, DType::kInt8, Form::kMatMul},
    {DType::kFloat32, DType::kInt8, Form::kMatMul},     {DType::kFloat32, DType::kFloat32, Form::kMatMul},
    {DType::kInt16, DType::kInt8, Form::kMatMul}};

// A new object each time, so that nothing is shared in memory. `lines`: of a filter of nine taps.
std::shared_ptr<const graph::Model> Layer(const Kind& kind, int32_t lines = 3) {
  ModelBuilder m;
  const auto codes = [](DType type, float scale) {
    return type == DType::kFloat32 ? Quantization() : ModelBuilder::PerTensor(scale, type == DType::kUInt8 ? 5 : 0);
  };
  const bool depthwise = kind.form == Form::kDepthwise, transposed = kind.form == Form::kTransposed;
  const bool matmul = kind.form == Form::kMatMul;
  const int32_t channels = 12, outputs = depthwise ? channels : 21;
  const Shape shape = matmul      ? Shape{channels, outputs}
                      : depthwise ? Shape{1, lines, 9 / lines, channels}
                                  : Shape{outputs, lines, 9 / lines, channels};
  const int x = m.Input("x", kind.activations, {1, 7, 6, channels}, codes(kind.activations, 0.05F));
  const Array weights = RandomArray(kind.weights, shape, 3, 0);
  const int w = m.ConstantBytes("w", kind.weights, shape, {weights.bytes().begin(), weights.bytes().end()},
                                codes(kind.weights, 0.01F));
  const auto count = static_cast<size_t>(outputs);
  const int b = kind.activations == DType::kFloat32 ? m.Constant("b", {outputs}, std::vector<float>(count, 1))
                : kind.activations == DType::kInt16
                    ? m.Constant("b", {outputs}, std::vector<int64_t>(count, 7), ModelBuilder::PerTensor(0.0005F))
                    : m.Constant("b", {outputs}, std::vector<int32_t>(count, 7), ModelBuilder::PerTensor(0.0005F));
  const int y = m.Tensor("y", kind.activations, {}, codes(kind.activations, 0.5F));
  const int stride = transposed ? 2 : 1;
  std::vector<ModelBuilder::Option> options = {{"padding", 0}, {"stride_h", stride}, {"stride_w", stride}};
  if (depthwise) options.emplace_back("depth_multiplier", 1);
  if (matmul) {
    m.Op(BuiltinOp::kBatchMatmul, {x, w}, {y}, {{"adj_x", false}, {"adj_y", false}});
  } else if (transposed) {
    const int size = m.Constant("size", {4}, std::vector<int32_t>{1, 14, 12, outputs});
    m.Op(BuiltinOp::kTransposeConv, {size, w, x, b}, {y}, options);
  } else {
    m.Op(depthwise ? BuiltinOp::kDepthwiseConv2D : BuiltinOp::kConv2D, {x, w, b}, {y}, options);
  }
  m.Output(y);
  return m.Build();
}

std::vector<uint8_t> RunLayer(const Kind& kind, int32_t lines = 3) {
  Interpreter interpreter(Layer(kind, lines));
  interpreter.SetInput(0, RandomArray(kind.activations, {1, 7, 6, 12}, 4, 0));
  interpreter.Invoke();
  const auto bytes = interpreter.OutputBytes(0);
  return {bytes.begin(), bytes.end()};
}

class PackedCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / fmt::format("assay_packed_cache_{}.bin", ::getpid());
    std::filesystem::remove(path_);
  }
  void TearDown() override {
    PackedCache::Global().UseFile(nullptr);
    std::filesystem::remove(path_);
  }
  std::shared_ptr<PackedFile> Use() const {
    auto file = std::make_shared<PackedFile>(path_);
    PackedCache::Global().UseFile(file);
    return file;
  }
  std::string path_;
};

TEST_F(PackedCacheTest, TheSameResultsFromAFile) {
  kernels::simd::OnEveryTarget([&](const std::string& target) {
    for (const Kind& kind : kKinds) {
      PackedCache::Global().UseFile(nullptr);
      const std::vector<uint8_t> wanted = RunLayer(kind);
      auto file = Use();
      EXPECT_EQ(RunLayer(kind), wanted) << target;
      file->Save();
      file = Use();
      EXPECT_EQ(RunLayer(kind), wanted) << target;
      EXPECT_GT(file->hits(), 0U) << target << " " << DTypeName(kind.activations) << static_cast<int>(kind.form);
    }
  });
}

// Filters of the same bytes and as many taps, which kernels may want in another order.
TEST_F(PackedCacheTest, FiltersOfAnotherShapeAreNotTaken) {
  kernels::simd::OnEveryTarget([&](const std::string& target) {
    for (const Kind& kind : kKinds) {
      const bool all_alike = kind.activations == DType::kUInt8;  // as large as codes may be
      if ((kind.form != Form::kPlain && kind.form != Form::kDepthwise) || all_alike) continue;
      PackedCache::Global().UseFile(nullptr);
      const std::vector<uint8_t> wanted = RunLayer(kind, 3), other = RunLayer(kind, 9);
      EXPECT_NE(wanted, other);
      const auto file = Use();
      EXPECT_EQ(RunLayer(kind, 3), wanted) << target;
      EXPECT_EQ(RunLayer(kind, 9), other) << target;
      file->Save();
      Use();
      EXPECT_EQ(RunLayer(kind, 9), other) << target;
      EXPECT_EQ(RunLayer(kind, 3), wanted) << target;
    }
  });
}

TEST_F(PackedCacheTest, WhatKernelsCannotUseIsPackedAnew) {
  std::vector<std::vector<uint8_t>> wanted;
  for (const Kind& kind : kKinds) wanted.push_back(RunLayer(kind));
  // A file that says of every constant something else, with checksums that hold.
  Random random(1);
  for (int round = 0; round < 20; ++round) {
    std::filesystem::remove(path_);
    auto file = Use();
    for (const Kind& kind : kKinds) {
      const auto model = Layer(kind);
      const graph::Tensor& info = model->subgraphs[0].tensors[1];
      ops::TensorRef weights;
      weights.info = &info, weights.dtype = info.dtype, weights.shape = info.shape;
      weights.data = const_cast<uint8_t*>(info.data->bytes().data());  // only read
      weights.bytes = info.data->bytes().size();
      std::vector<size_t> widths = {1, 108, 9, 9 * 512 + 256, 3 * 512 + 256, 3 * 512 + 261, 9 * 512 + 261, 42};
      for (const int phase : {0, 1, 2, 3}) {  // of strides of 2
        const kernels::ref::TransposeConvGeometry g = {1, 7, 6, 12, 3, 3, 14, 12, 21, 2, 2, 0, 0};
        for (const int32_t zero : {0, 5}) {
          widths.push_back(ops::KeyOf(kernels::simd::PhaseAt(g, phase / 2, phase % 2), zero));
        }
      }
      for (int layout = 0; layout <= static_cast<int>(PackedCache::Layout::kWideByTap); ++layout) {
        for (const size_t rows : {size_t{12}, size_t{21}, weights.bytes, size_t{48}}) {
          for (const size_t columns : widths) {
            std::vector<std::vector<uint8_t>> arrays(static_cast<size_t>(random.Between(0, 7)));
            PackedFile::Arrays views;
            for (auto& array : arrays) {
              array.resize(static_cast<size_t>(random.Chance(0.5) ? 4 * random.Between(0, 900) : 4 * 21));
              for (uint8_t& byte : array) byte = static_cast<uint8_t>(random.Next());
              views.push_back(array);
            }
            file->Add(PackedCache::FileKey(weights, rows, columns, static_cast<PackedCache::Layout>(layout)), views);
          }
        }
      }
      // Depthwise windows by columns.
      const std::vector<uint8_t> some(4 * 21, static_cast<uint8_t>(round));
      for (const size_t zero : {256, 261}) {
        file->Add(PackedCache::FileKey(weights, 12, (8 * 9 + 3) * 512 + zero, PackedCache::Layout::kDepthwise), {some});
      }
    }
    for (size_t k = 0; k < std::size(kKinds); ++k) EXPECT_EQ(RunLayer(kKinds[k]), wanted[k]) << round << " " << k;
    EXPECT_GT(file->hits(), 0U) << "no key was guessed right: the test tests nothing";
  }
}

// What packing writes, by a checksum of the file: whoever changes it raises ops::kPackingVersion, lest files of older
// programs are believed.
TEST_F(PackedCacheTest, ThePackingVersionGoesWithTheBytes) {
  ASSERT_EQ(ops::kPackingVersion, 2U);
  kernels::simd::OnEveryTarget([&](const std::string& target) {
    std::filesystem::remove(path_);
    const auto file = Use();
    for (const Kind& kind : kKinds) RunLayer(kind);
    file->Save();
    const std::string text = ReadTextFile(path_);
    const uint64_t checksum = Checksum({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    const std::map<std::string, uint64_t> known = {
        {"avx512-vnni", 0xD36E47F102597D44}, {"avx2", 0x3B9660CAB5726C0F}, {"sse4", 0x1D2704922327825B}};
    if (known.contains(target)) {
      EXPECT_EQ(checksum, known.at(target)) << target << fmt::format(" {:#x}", checksum);
    }
  });
}

}  // namespace
}  // namespace assay::runtime
