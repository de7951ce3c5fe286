#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/one_op_model.h"

namespace assay::runtime {
namespace {

using graph::BuiltinOp;
using graph::ModelBuilder;

constexpr int32_t kMin = std::numeric_limits<int32_t>::min();

template <typename T>
std::vector<T> Unary(BuiltinOp op, std::vector<T> x) {
  const Shape shape{static_cast<int32_t>(x.size())};
  return OneOpModel(op).Input<T>(shape, x).Output(DTypeOf<T>()).template Run<T>();
}

template <typename T>
OneOpModel Binary(BuiltinOp op, std::vector<T> a, std::vector<T> b, Quantization q = {}) {
  return OneOpModel(op)
      .Input<T>({static_cast<int32_t>(a.size())}, a, q)
      .template Input<T>({static_cast<int32_t>(b.size())}, b, q)
      .Output(DTypeOf<T>(), q);
}

TEST(Elementwise, UnaryOfFloats) {
  using Floats = std::vector<float>;
  EXPECT_EQ(Unary<float>(BuiltinOp::kAbs, {-2, 3}), (Floats{2, 3}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kCeil, {-1.5F, 1.2F}), (Floats{-1, 2}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kFloor, {-1.5F, 1.2F}), (Floats{-2, 1}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kRound, {-2.5F, -1.5F, 0.5F, 1.5F}), (Floats{-2, -2, 0, 2}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kNeg, {-2, 3}), (Floats{2, -3}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kSign, {-2, 0, 3}), (Floats{-1, 0, 1}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kSquare, {-2, 3}), (Floats{4, 9}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kSqrt, {4, 2.25F}), (Floats{2, 1.5F}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kRsqrt, {4, 0.25F}), (Floats{0.5F, 2}));
  EXPECT_EQ(Unary<float>(BuiltinOp::kZerosLike, {4, 0.25F}), (Floats{0, 0}));
  EXPECT_NEAR(Unary<float>(BuiltinOp::kExp, {1})[0], std::exp(1.0), 1e-6);
  EXPECT_NEAR(Unary<float>(BuiltinOp::kLog, {3})[0], std::log(3.0), 1e-6);
  EXPECT_NEAR(Unary<float>(BuiltinOp::kSin, {1})[0], std::sin(1.0), 1e-6);
  EXPECT_NEAR(Unary<float>(BuiltinOp::kCos, {1})[0], std::cos(1.0), 1e-6);
}

TEST(Elementwise, IntegersWrap) {
  EXPECT_EQ(Unary<int32_t>(BuiltinOp::kAbs, {kMin, -7}), (std::vector<int32_t>{kMin, 7}));
  EXPECT_EQ(Unary<int16_t>(BuiltinOp::kAbs, {-32768, -7}), (std::vector<int16_t>{-32768, 7}));
  EXPECT_EQ(Unary<int32_t>(BuiltinOp::kNeg, {kMin, -7}), (std::vector<int32_t>{kMin, 7}));
  EXPECT_EQ(Binary<int32_t>(BuiltinOp::kDiv, {kMin, 7, -7}, {-1, 2, 2}).Run<int32_t>(),
            (std::vector<int32_t>{kMin, 3, -3}));
  EXPECT_EQ(Binary<int32_t>(BuiltinOp::kFloorDiv, {kMin, 7, -7}, {-1, 2, 2}).Run<int32_t>(),
            (std::vector<int32_t>{kMin, 3, -4}));
  EXPECT_EQ(Binary<int32_t>(BuiltinOp::kFloorMod, {kMin, 7, -7, 7}, {-1, 2, 2, -2}).Run<int32_t>(),
            (std::vector<int32_t>{0, 1, 1, -1}));
  EXPECT_EQ(Binary<int64_t>(BuiltinOp::kFloorMod, {std::numeric_limits<int64_t>::min(), -7}, {-1, 4}).Run<int64_t>(),
            (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(Binary<int32_t>(BuiltinOp::kSquaredDifference, {kMin, 3}, {1, 5}).Run<int32_t>(),
            (std::vector<int32_t>{1, 4}));
  EXPECT_EQ(Binary<int32_t>(BuiltinOp::kRightShift, {-9, -9, -9, 9}, {1, 99, -5, 2}).Run<int32_t>(),
            (std::vector<int32_t>{-5, -1, -9, 2}));
  EXPECT_EQ(Binary<uint8_t>(BuiltinOp::kBitwiseXor, {0xF0, 0x0F}, {0xFF, 0xFF}).Run<uint8_t>(),
            (std::vector<uint8_t>{0x0F, 0xF0}));
}

TEST(Elementwise, BinaryOfFloats) {
  using Floats = std::vector<float>;
  EXPECT_EQ(Binary<float>(BuiltinOp::kMaximum, {1, 5}, {3, 3}).Run<float>(), (Floats{3, 5}));
  EXPECT_EQ(Binary<float>(BuiltinOp::kMinimum, {1, 5}, {3}).Run<float>(), (Floats{1, 3}));
  EXPECT_EQ(Binary<float>(BuiltinOp::kFloorMod, {-7, 7}, {4, -4}).Run<float>(), (Floats{1, -1}));
  EXPECT_EQ(Binary<float>(BuiltinOp::kPow, {2, 3, -2}, {3}).Run<float>(), (Floats{8, 27, -8}));
  EXPECT_EQ(Binary<float>(BuiltinOp::kPow, {4, 9}, {0.5F, 2}).Run<float>(), (Floats{2, 81}));
  EXPECT_EQ(Binary<float>(BuiltinOp::kDiv, {1, -1}, {0, 4}).Run<float>("xnnpack"),
            (Floats{std::numeric_limits<float>::infinity(), -0.25F}));
  EXPECT_EQ(Binary<float>(BuiltinOp::kDiv, {1, -1}, {0, 4}).Run<float>("builtin"),
            (Floats{std::numeric_limits<float>::max(), -0.25F}));
  EXPECT_NEAR(Binary<float>(BuiltinOp::kAtan2, {1}, {-1}).Run<float>()[0], std::atan2(1.0, -1.0), 1e-6);
  EXPECT_EQ(Binary<float>(BuiltinOp::kPrelu, {-2, 2}, {0.5F, 0.5F}).Run<float>(), (Floats{-1, 2}));
  EXPECT_EQ(OneOpModel(BuiltinOp::kAddN)
                .Input<float>({2}, {1, 2})
                .Input<float>({2}, {10, 20})
                .Input<float>({2}, {100, 200})
                .Output(DType::kFloat32)
                .Run<float>(),
            (Floats{111, 222}));
}

// One exponent for all multiplies instead of calling pow: integers wrap there and end at the least integer elsewhere.
TEST(Elementwise, PowersOfIntegers) {
  EXPECT_EQ(Binary<int32_t>(BuiltinOp::kPow, {65536, 3}, {2}).Run<int32_t>(), (std::vector<int32_t>{0, 9}));
  EXPECT_EQ(Binary<int32_t>(BuiltinOp::kPow, {65536, 3}, {2, 2}).Run<int32_t>(), (std::vector<int32_t>{kMin, 9}));
}

TEST(Elementwise, Codes) {
  const Quantization q = ModelBuilder::PerTensor(0.5F, 1);
  const auto unary = [&](BuiltinOp op, std::vector<int8_t> x) {
    const Shape shape{static_cast<int32_t>(x.size())};
    return OneOpModel(op).Input<int8_t>(shape, x, q).Output(DType::kInt8, q).Run<int8_t>();
  };
  EXPECT_EQ(unary(BuiltinOp::kAbs, {-127, -3, 5}), (std::vector<int8_t>{127, 5, 5}));
  EXPECT_EQ(unary(BuiltinOp::kSqrt, {1, 9, 33}), (std::vector<int8_t>{1, 5, 9}));     // 0, 2, 4
  EXPECT_EQ(unary(BuiltinOp::kRsqrt, {1, 9, 3}), (std::vector<int8_t>{127, 2, 3}));   // inf, 1/2, 1
  EXPECT_EQ(unary(BuiltinOp::kExp, {1, 3, 127}), (std::vector<int8_t>{3, 6, 127}));   // 1, 2.718, e^63
  EXPECT_EQ(unary(BuiltinOp::kLog, {-5, 3, 33}), (std::vector<int8_t>{-128, 1, 7}));  // none, 0, 2.77
  EXPECT_EQ(Binary<int8_t>(BuiltinOp::kDiv, {9, -7}, {5, 5}, q).Run<int8_t>(), (std::vector<int8_t>{5, -3}));
  EXPECT_EQ(Binary<int8_t>(BuiltinOp::kSquaredDifference, {9, -7}, {5, 1}, q).Run<int8_t>(),
            (std::vector<int8_t>{9, 33}));
  EXPECT_EQ(Binary<int8_t>(BuiltinOp::kPrelu, {9, -7}, {5, 2}, q).Run<int8_t>(), (std::vector<int8_t>{9, -3}));
  EXPECT_EQ(Binary<int8_t>(BuiltinOp::kMaximum, {9, -7}, {5, 2}, q).Run<int8_t>(), (std::vector<int8_t>{9, 2}));
}

std::vector<bool> Bools(const Array& array) {
  std::vector<bool> values;
  for (const uint8_t byte : array.bytes()) values.push_back(byte != 0);
  return values;
}

TEST(Comparison, OfFloatsAndOfCodesByTheirRealValues) {
  const auto compare = [](BuiltinOp op) {
    return Bools(OneOpModel(op)
                     .Input<int8_t>({3}, {4, 4, 4}, ModelBuilder::PerTensor(0.5F))
                     .Input<int8_t>({3}, {7, 8, 9}, ModelBuilder::PerTensor(0.25F))
                     .Output(DType::kBool)
                     .RunAll()[0]);
  };
  using B = std::vector<bool>;
  EXPECT_EQ(compare(BuiltinOp::kEqual), (B{false, true, false}));
  EXPECT_EQ(compare(BuiltinOp::kNotEqual), (B{true, false, true}));
  EXPECT_EQ(compare(BuiltinOp::kLess), (B{false, false, true}));
  EXPECT_EQ(compare(BuiltinOp::kLessEqual), (B{false, true, true}));
  EXPECT_EQ(compare(BuiltinOp::kGreater), (B{true, false, false}));
  EXPECT_EQ(compare(BuiltinOp::kGreaterEqual), (B{true, true, false}));
  EXPECT_EQ(Bools(OneOpModel(BuiltinOp::kLess)
                      .Input<float>({2}, {1, std::nanf("")})
                      .Input<float>({1}, {2})
                      .Output(DType::kBool)
                      .RunAll()[0]),
            (B{true, false}));
}

// Bools are bytes of any value in a file.
TEST(Comparison, BoolsAreWhateverIsNotZero) {
  ModelBuilder m;
  const int a = m.ConstantBytes("a", DType::kBool, {4}, {0, 0, 7, 1});
  const int b = m.ConstantBytes("b", DType::kBool, {4}, {0, 2, 9, 0});
  const BuiltinOp ops[] = {BuiltinOp::kLogicalAnd, BuiltinOp::kLogicalOr, BuiltinOp::kEqual};
  for (const BuiltinOp op : ops) {
    const int y = m.Tensor("y", DType::kBool, {4});
    m.Op(op, {a, b}, {y});
    m.Output(y);
  }
  const int y = m.Tensor("y", DType::kBool, {4});
  m.Op(BuiltinOp::kLogicalNot, {b}, {y});
  m.Output(y);
  Interpreter interpreter(m.Build());
  interpreter.AllocateTensors();
  interpreter.Invoke();
  using B = std::vector<bool>;
  EXPECT_EQ(Bools(interpreter.Output(0)), (B{false, false, true, false}));
  EXPECT_EQ(Bools(interpreter.Output(1)), (B{false, true, true, true}));
  EXPECT_EQ(Bools(interpreter.Output(2)), (B{true, false, true, false}));
  EXPECT_EQ(Bools(interpreter.Output(3)), (B{true, false, false, true}));
}

TEST(Select, BySliceAndByBroadcast) {
  const auto select = [](BuiltinOp op, Shape condition, std::vector<uint8_t> bits) {
    ModelBuilder m;
    const int c = m.ConstantBytes("c", DType::kBool, std::move(condition), std::move(bits));
    const int x = m.Constant<int32_t>("x", {2, 2}, {1, 2, 3, 4});
    const int y = m.Constant<int32_t>("y", {2, 2}, {-1, -2, -3, -4});
    const int out = m.Tensor("out", DType::kInt32, {2, 2});
    m.Op(op, {c, x, y}, {out});
    m.Output(out);
    Interpreter interpreter(m.Build());
    interpreter.AllocateTensors();
    interpreter.Invoke();
    const Array result = interpreter.Output(0);
    const auto values = result.values<int32_t>();
    return std::vector<int32_t>(values.begin(), values.end());
  };
  using Ints = std::vector<int32_t>;
  EXPECT_EQ(select(BuiltinOp::kSelect, {2}, {1, 0}), (Ints{1, 2, -3, -4}));    // per slice
  EXPECT_EQ(select(BuiltinOp::kSelectV2, {2}, {1, 0}), (Ints{1, -2, 3, -4}));  // broadcast
  EXPECT_EQ(select(BuiltinOp::kSelect, {}, {0}), (Ints{-1, -2, -3, -4}));
  EXPECT_EQ(select(BuiltinOp::kSelect, {2, 2}, {1, 0, 0, 1}), (Ints{1, -2, -3, 4}));
}

TEST(Cast, SaturatesAndTruncates) {
  const auto cast = [](std::vector<float> x, DType to) {
    const Shape shape{static_cast<int32_t>(x.size())};
    return OneOpModel(BuiltinOp::kCast).Input<float>(shape, x).Output(to).RunAll()[0];
  };
  const float nan = std::nanf("");
  const Array ints = cast({1.9F, -1.9F, 3e9F, -3e9F, nan}, DType::kInt32);
  EXPECT_EQ(std::vector<int32_t>(ints.values<int32_t>().begin(), ints.values<int32_t>().end()),
            (std::vector<int32_t>{1, -1, INT32_MAX, kMin, INT32_MAX}));
  const Array bytes = cast({1.9F, -1.9F, 300, 255.5F}, DType::kUInt8);
  EXPECT_EQ(std::vector<uint8_t>(bytes.values<uint8_t>().begin(), bytes.values<uint8_t>().end()),
            (std::vector<uint8_t>{1, 0, 255, 255}));
  const Array longs = cast({1e30F, -1e30F}, DType::kInt64);
  EXPECT_EQ(longs.values<int64_t>()[0], std::numeric_limits<int64_t>::max());
  EXPECT_EQ(longs.values<int64_t>()[1], std::numeric_limits<int64_t>::min());
  EXPECT_EQ(Bools(cast({0, -0.5F, nan}, DType::kBool)), (std::vector<bool>{false, true, true}));
  EXPECT_EQ(cast({1, 7.9F, -9, -1}, DType::kInt4).bytes()[0], 0x71);
  EXPECT_EQ(cast({1, 7.9F, -9, -1}, DType::kInt4).bytes()[1], 0xF8);
  const Array half = cast({1, 65536}, DType::kFloat16);
  EXPECT_EQ(half.bytes()[1], 0x3C);
  EXPECT_EQ(half.bytes()[3], 0x7C);
}

TEST(Elementwise, RefusesWhatCannotBe) {
  const auto has = [](const OneOpModel& model, const char* text) {
    const std::string message = model.Message();
    EXPECT_NE(message.find(text), std::string::npos) << message;
  };
  const Quantization q = ModelBuilder::PerTensor(0.5F, 1);
  has(Binary<int32_t>(BuiltinOp::kDiv, {1}, {0}), "division by 0");
  has(Binary<int8_t>(BuiltinOp::kDiv, {1}, {1}, q), "division by 0");
  has(Binary<float>(BuiltinOp::kFloorDiv, {1}, {0}), "division by 0");
  has(Binary<int64_t>(BuiltinOp::kFloorMod, {1}, {0}), "division by 0");
  has(Binary<int32_t>(BuiltinOp::kPow, {2}, {-1}), "an exponent of an integer is negative");
  has(Binary<float>(BuiltinOp::kAtan2, {1, 2}, {1}), "shapes [2] and [1] differ");
  has(Binary<float>(BuiltinOp::kPrelu, {1}, {1, 2}), "slopes' shape [2] does not broadcast to the input's [1]");
  has(Binary<int8_t>(BuiltinOp::kSquaredDifference, {1}, {1}), "input 0 has 0 scales");
  has(Binary<double>(BuiltinOp::kMaximum, {1}, {1}), "have no kernel");
  has(Binary<float>(BuiltinOp::kLogicalAnd, {1}, {1}), "input 0 is float32, expected bool");
  has(Binary<float>(BuiltinOp::kLess, {1}, {1}), "output is float32, expected bool");
  const auto sqrt = [&](int8_t x) {
    return OneOpModel(BuiltinOp::kSqrt).Input<int8_t>({1}, {x}, q).Output(DType::kInt8, q);
  };
  EXPECT_EQ(sqrt(1).Message(), "");
  has(sqrt(0), "the code 0, a negative number");
  has(OneOpModel(BuiltinOp::kCeil).Input<int32_t>({1}, {1}).Output(DType::kInt32), "input is int32, expected float32");
  has(OneOpModel(BuiltinOp::kAbs).Input<int8_t>({1}, {1}).Output(DType::kInt8), "input has 0 scales");
  has(OneOpModel(BuiltinOp::kNeg).Input<uint8_t>({1}, {1}).Output(DType::kUInt8), "have no kernel");
  has(OneOpModel(BuiltinOp::kCast).Input<int32_t>({1}, {1}).Output(DType::kInt4), "have no kernel");
  has(OneOpModel(BuiltinOp::kAddN).Input<float>({2}, {1, 2}).Input<float>({1}, {1}).Output(DType::kFloat32),
      "input 1 has the shape [1], expected [2]");
  const auto select = [](Shape condition, Shape x) {
    ModelBuilder m;
    const int c = m.Input("c", DType::kBool, condition);
    const int a = m.Input("a", DType::kFloat32, x);
    const int b = m.Input("b", DType::kFloat32, x);
    const int out = m.Tensor("out", DType::kFloat32, x);
    m.Op(BuiltinOp::kSelect, {c, a, b}, {out});
    m.Output(out);
    try {
      Interpreter interpreter(m.Build());
      interpreter.AllocateTensors();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(select({2}, {2, 3}), "");
  EXPECT_NE(select({3}, {2, 3}).find("does not select from [2,3]"), std::string::npos);
}

}  // namespace
}  // namespace assay::runtime
