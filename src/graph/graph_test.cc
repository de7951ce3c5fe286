#include <gtest/gtest.h>

#include "base/error.h"
#include "graph/model.h"

namespace assay::graph {
namespace {

TEST(BuiltinOps, IdsHaveNoGapsAndNamesRoundTrip) {
  const auto all = AllBuiltinOps();
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(all[i].op), i);
    EXPECT_EQ(BuiltinOpFromName(all[i].name), all[i].op);
  }
  EXPECT_EQ(BuiltinOpName(BuiltinOp::kConv2D), "CONV_2D");
  EXPECT_EQ(BuiltinOpOptionsTable(BuiltinOp::kConv2D), "Conv2DOptions");
  EXPECT_EQ(BuiltinOpName(static_cast<BuiltinOp>(100000)), "UNKNOWN");
}

struct SomeAttributes {
  Padding padding = Padding::kSame;
  int32_t dilation = 1;
  float beta = 0.5F;
  std::vector<int64_t> shape;
  template <class V>
  void Visit(V& v) {
    v("padding", padding), v("dilation", dilation), v("beta", beta), v("shape", shape);
  }
};

TEST(Attributes, TypedStructsReadAndWriteByName) {
  Attributes attributes;
  attributes.Set("padding", int64_t{1});
  attributes.Set("shape", std::vector<int64_t>{2, 3});
  const auto typed = attributes.As<SomeAttributes>();
  EXPECT_EQ(typed.padding, Padding::kValid);
  EXPECT_EQ(typed.dilation, 1);
  EXPECT_EQ(typed.beta, 0.5F);
  EXPECT_EQ(typed.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(Attributes::From(typed).As<SomeAttributes>().shape, typed.shape);
}

TEST(Attributes, ValuesOutsideOfTheTypeAreRefused) {
  Attributes attributes;
  attributes.Set("padding", int64_t{7});
  EXPECT_THROW(attributes.As<SomeAttributes>(), Error);
  attributes.Set("padding", int64_t{0});
  attributes.Set("dilation", int64_t{1} << 40);
  EXPECT_THROW(attributes.As<SomeAttributes>(), Error);
}

}  // namespace
}  // namespace assay::graph
