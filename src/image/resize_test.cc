#include "image/resize.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "image/color.h"
#include "image/decode.h"
#include "tensor/npy.h"

namespace assay {
namespace {

// What the libraries themselves gave, by scripts/oracle/make_image_goldens.py.
const NamedArrays& ResizeGoldens() {
  static const NamedArrays goldens = ReadNpz(ASSAY_SOURCE_DIR "/src/image/testdata/resize.npz");
  return goldens;
}

const Array& Golden(const std::string& name) {
  const Array* array = FindArray(ResizeGoldens(), name);
  if (array == nullptr) throw std::runtime_error("no golden " + name);
  return *array;
}

std::vector<std::string> Names(const std::string& member) {
  const auto bytes = Golden(member).bytes();
  return nlohmann::json::parse(bytes.begin(), bytes.end()).get<std::vector<std::string>>();
}

std::vector<std::string> Cases() {
  std::vector<std::string> cases;
  for (const auto& [name, array] : ResizeGoldens()) {
    if (name.starts_with("in/")) cases.push_back(name.substr(3));
  }
  return cases;
}

// The float pictures of the goldens.
Array ToReal(const Array& image) {
  Array real(DType::kFloat32, image.shape());
  std::ranges::transform(image.values<uint8_t>(), real.values<float>().begin(),
                         [](uint8_t x) { return static_cast<float>(x) * 0.37F - 20.0F; });
  return real;
}

uint32_t Crc(const Array& array) {
  return static_cast<uint32_t>(crc32(0, array.bytes().data(), static_cast<uInt>(array.bytes().size())));
}

Array ResizeCase(const std::string& name, const Array& image, const std::string& method) {
  const auto size = Golden("size/" + name).values<int32_t>();
  return Resize(image, size[0], size[1], ParseResizeMethod(method));
}

TEST(Resize, BytesAreThoseOfEachLibrary) {
  const std::vector<std::string> methods = Names("methods");
  EXPECT_GE(methods.size(), 36U);
  for (const std::string& name : Cases()) {
    const auto golden = Golden("crc/" + name).values<uint32_t>();
    ASSERT_EQ(golden.size(), methods.size());
    for (size_t i = 0; i < methods.size(); ++i) {
      EXPECT_EQ(Crc(ResizeCase(name, Golden("in/" + name), methods[i])), golden[i]) << name << ' ' << methods[i];
    }
  }
}

TEST(Resize, ValuesKeptWholeShowWhatDiffers) {
  const std::vector<std::string> methods = Names("methods");
  for (const std::string name : {"shrink", "third"}) {
    for (const std::string& method : methods) {
      const Array image = ResizeCase(name, Golden("in/" + name), method);
      const Array& golden = Golden("out/" + name + "/" + method);
      ASSERT_EQ(image.dtype(), golden.dtype()) << method;
      ASSERT_EQ(image.shape(), golden.shape()) << method;
      for (int64_t i = 0; i < image.size(); ++i) {
        ASSERT_EQ(ElementAsDouble(image, i), ElementAsDouble(golden, i)) << name << ' ' << method << " value " << i;
      }
    }
  }
}

TEST(Resize, FloatPicturesAreThoseOfEachLibrary) {
  const std::vector<std::string> methods = Names("float_methods");
  EXPECT_GE(methods.size(), 30U);
  for (const std::string& name : Cases()) {
    const auto golden = Golden("real/crc/" + name).values<uint32_t>();
    ASSERT_EQ(golden.size(), methods.size());
    const Array real = ToReal(Golden("in/" + name));
    for (size_t i = 0; i < methods.size(); ++i) {
      EXPECT_EQ(Crc(ResizeCase(name, real, methods[i])), golden[i]) << name << ' ' << methods[i];
    }
  }
}

TEST(Resize, GoldensCoverEveryMethod) {
  const std::vector<std::string> covered = Names("methods");
  for (const std::string& method : ResizeMethodNames()) {
    // TensorFlow ignores antialias for these two.
    if (method == "tf-nearest-antialias" || method == "tf-area-antialias") continue;
    EXPECT_NE(std::ranges::find(covered, method), covered.end()) << method;
  }
  const Array& image = Golden("in/photo_down");
  for (const std::string kernel : {"nearest", "area"}) {
    EXPECT_EQ(Crc(ResizeCase("photo_down", image, "tf-" + kernel + "-antialias")),
              Crc(ResizeCase("photo_down", image, "tf-" + kernel)));
  }
}

TEST(Resize, TypeOfTheResultIsThatOfTheMethodAlone) {
  for (const std::string& method : ResizeMethodNames()) {
    const ResizeMethod parsed = ParseResizeMethod(method);
    const Array& image = Golden("in/same");
    const DType expected = parsed.MakesReal() ? DType::kFloat32 : DType::kUInt8;
    EXPECT_EQ(ResizeCase("same", image, method).dtype(), expected) << method;
    EXPECT_EQ(ResizeCase("shrink", image, method).dtype(), expected) << method;
  }
}

TEST(Resize, ExtremeSizes) {
  const Array line(DType::kUInt8, Shape{1, 5000, 3}), column(DType::kUInt8, Shape{5000, 1, 1});
  for (const std::string& method : ResizeMethodNames()) {
    EXPECT_EQ(Resize(line, 1, 300, ParseResizeMethod(method)).shape(), (Shape{300, 1, 3})) << method;
    EXPECT_EQ(Resize(column, 400, 1, ParseResizeMethod(method)).shape(), (Shape{1, 400, 1})) << method;
  }
}

TEST(ToGrey, IsThatOfEachLibrary) {
  const Array& image = Golden("in/photo_down");
  for (const Decoder library : {Decoder::kOpencv, Decoder::kPillow, Decoder::kTensorflow}) {
    const std::string name(DecoderName(library));
    EXPECT_TRUE(std::ranges::equal(ToGrey(image, library).bytes(), Golden("grey/" + name).bytes())) << name;
    if (library == Decoder::kPillow) continue;
    EXPECT_TRUE(std::ranges::equal(ToGrey(ToReal(image), library).bytes(), Golden("real/grey/" + name).bytes()))
        << name;
  }
}

}  // namespace
}  // namespace assay
