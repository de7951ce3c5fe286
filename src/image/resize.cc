#include "image/resize.h"

#include <span>
#include <utility>

#include "base/error.h"

namespace assay {
namespace {

struct NamedMethod {
  std::string name;
  ResizeMethod method;
};

const std::vector<NamedMethod>& Methods() {
  static const std::vector<NamedMethod> methods = [] {
    using Kernel = ResizeKernel;
    std::vector<NamedMethod> all;
    const auto add = [&all](const char* name, ResizeLibrary library, Kernel kernel) {
      all.push_back({name, {library, kernel, false, ResizeGrid::kLegacy}});
    };
    add("opencv-nearest", ResizeLibrary::kOpencv, Kernel::kNearest);
    add("opencv-linear", ResizeLibrary::kOpencv, Kernel::kLinear);
    add("opencv-area", ResizeLibrary::kOpencv, Kernel::kArea);
    add("opencv-cubic", ResizeLibrary::kOpencv, Kernel::kCubic);
    add("opencv-lanczos4", ResizeLibrary::kOpencv, Kernel::kLanczos4);
    add("pillow-nearest", ResizeLibrary::kPillow, Kernel::kNearest);
    add("pillow-box", ResizeLibrary::kPillow, Kernel::kBox);
    add("pillow-bilinear", ResizeLibrary::kPillow, Kernel::kLinear);
    add("pillow-hamming", ResizeLibrary::kPillow, Kernel::kHamming);
    add("pillow-bicubic", ResizeLibrary::kPillow, Kernel::kCubic);
    add("pillow-lanczos", ResizeLibrary::kPillow, Kernel::kLanczos);
    const std::pair<const char*, Kernel> tensorflow2[] = {
        {"nearest", Kernel::kNearest},   {"bilinear", Kernel::kLinear},   {"bicubic", Kernel::kCubic},
        {"area", Kernel::kArea},         {"lanczos3", Kernel::kLanczos3}, {"lanczos5", Kernel::kLanczos5},
        {"gaussian", Kernel::kGaussian}, {"mitchell", Kernel::kMitchell}};
    for (const auto& [name, kernel] : tensorflow2) {
      // Area has no grid of its own.
      const ResizeGrid grid = kernel == Kernel::kArea ? ResizeGrid::kLegacy : ResizeGrid::kHalfPixel;
      for (const bool antialias : {false, true}) {
        all.push_back({fmt::format("tf-{}{}", name, antialias ? "-antialias" : ""),
                       {ResizeLibrary::kTensorflow2, kernel, antialias, grid}});
      }
    }
    const std::pair<const char*, ResizeGrid> grids[] = {
        {"", ResizeGrid::kLegacy}, {"-aligned", ResizeGrid::kAligned}, {"-half", ResizeGrid::kHalfPixel}};
    for (const auto& [name, kernel] : std::span(tensorflow2).first(4)) {
      for (const auto& [suffix, grid] : grids) {
        if (kernel == Kernel::kArea && grid == ResizeGrid::kHalfPixel) continue;
        all.push_back({fmt::format("tf1-{}{}", name, suffix), {ResizeLibrary::kTensorflow1, kernel, false, grid}});
      }
    }
    return all;
  }();
  return methods;
}

}  // namespace

const std::vector<std::string>& ResizeMethodNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const NamedMethod& known : Methods()) all.push_back(known.name);
    return all;
  }();
  return names;
}

std::string ResizeMethod::ToString() const {
  for (const NamedMethod& known : Methods()) {
    if (known.method == *this) return known.name;
  }
  ASSAY_CHECK(!"a resize method without a name");
  return "";
}

bool ResizeMethod::MakesReal() const {
  const bool tensorflow = library == ResizeLibrary::kTensorflow2 || library == ResizeLibrary::kTensorflow1;
  return tensorflow && kernel != ResizeKernel::kNearest;
}

ResizeMethod ParseResizeMethod(std::string_view text) {
  for (const NamedMethod& known : Methods()) {
    if (known.name == text) return known.method;
  }
  const std::vector<std::string_view> names(ResizeMethodNames().begin(), ResizeMethodNames().end());
  throw UsageError("unknown resize method '{}'{}", text, NearestHint(text, names.data(), names.size()));
}

Array Resize(const Array& image, int32_t new_width, int32_t new_height, const ResizeMethod& method) {
  ASSAY_CHECK(image.shape().rank() == 3 && new_width > 0 && new_height > 0);
  ASSAY_CHECK(image.dtype() == DType::kUInt8 || image.dtype() == DType::kFloat32);
  const int32_t channels = image.shape()[2];
  ASSAY_CHECK(image.shape()[0] > 0 && image.shape()[1] > 0 && (channels == 1 || channels == 3));
  switch (method.library) {
    case ResizeLibrary::kOpencv:
      return ResizeOpencv(image, new_width, new_height, method.kernel);
    case ResizeLibrary::kPillow:
      return ResizePillow(image, new_width, new_height, method.kernel);
    case ResizeLibrary::kTensorflow2:
    case ResizeLibrary::kTensorflow1:
      break;
  }
  const ResizeKernel kernel = method.kernel;
  const bool direct = kernel == ResizeKernel::kNearest || kernel == ResizeKernel::kArea ||
                      (!method.antialias && (kernel == ResizeKernel::kLinear || kernel == ResizeKernel::kCubic));
  return direct ? ResizeTensorflowDirect(image, new_width, new_height, kernel, method.grid)
                : ResizeTensorflowWindows(image, new_width, new_height, kernel, method.antialias);
}

}  // namespace assay
