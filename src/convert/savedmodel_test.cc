// SavedModels and frozen graphs that the real TensorFlow wrote (tests/savedmodel), and files that are wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "base/mapped_file.h"
#include "convert/convert.h"
#include "convert/load_model.h"
#include "convert/verify.h"
#include "format/savedmodel/bundle.h"
#include "format/savedmodel/source.h"
#include "format/tflite/reader.h"
#include "format/tflite/writer.h"
#include "runtime/interpreter.h"
#include "tensor/npy.h"

namespace assay::convert {
namespace {

namespace fs = std::filesystem;

struct Case {
  std::map<std::string, std::vector<uint8_t>> files;  // relative path to bytes
  std::string signature;
  std::vector<Array> inputs, outputs;
};

std::map<std::string, Case> ReadCases() {
  std::map<std::string, Case> cases;
  for (auto& [key, array] : ReadNpz(std::string(ASSAY_SOURCE_DIR) + "/tests/savedmodel/cases.npz")) {
    const size_t slash = key.find('/');
    Case& one = cases[key.substr(0, slash)];
    const std::string rest = key.substr(slash + 1);
    const auto bytes = array.bytes();
    if (rest.rfind("file/", 0) == 0) one.files[rest.substr(5)].assign(bytes.begin(), bytes.end());
    if (rest == "signature") one.signature.assign(bytes.begin(), bytes.end());
    if (rest[0] == 'x' || rest[0] == 'y') {
      auto& list = rest[0] == 'x' ? one.inputs : one.outputs;
      const auto at = static_cast<size_t>(std::stoi(rest.substr(1)));
      if (list.size() <= at) list.resize(at + 1);
      list[at] = std::move(array);
    }
  }
  return cases;
}

const std::map<std::string, Case>& Cases() {
  static const std::map<std::string, Case> cases = ReadCases();
  return cases;
}

class SavedModelTest : public testing::Test {
 protected:
  SavedModelTest() : folder_(testing::TempDir() + fmt::format("assay-savedmodel-{}", ::getpid())) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~SavedModelTest() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const Case& one) const {
    const std::string path = folder_ + "/" + name;
    for (const auto& [file, bytes] : one.files) {
      fs::create_directories(fs::path(path + "/" + file).parent_path());
      WriteFileAtomically(path + "/" + file, bytes);
    }
    return one.files.count("frozen.pb") > 0 ? path + "/frozen.pb" : path;
  }

  // The message of the one error that converting gives.
  static std::string Refusal(const std::string& path, const std::string& signature = "") {
    ConvertRequest request;
    request.source = path;
    request.signature = signature;
    try {
      Convert(request);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), signature.empty() ? ErrorCode::kInput : ErrorCode::kUsage) << error.what();
      return error.what();
    }
    ADD_FAILURE() << path << " was converted";
    return {};
  }

  std::string folder_;
};

// The largest difference over the range of the expected values, or their size where they are nearly one value.
double Difference(const Array& expected, const Array& got) {
  if (expected.dtype() != got.dtype() || expected.shape() != got.shape()) return INFINITY;
  if (expected.dtype() != DType::kFloat32) {
    return std::equal(expected.bytes().begin(), expected.bytes().end(), got.bytes().begin()) ? 0 : INFINITY;
  }
  double low = INFINITY, high = -INFINITY, worst = 0;
  const auto e = expected.values<float>(), g = got.values<float>();
  for (size_t i = 0; i < e.size(); ++i) {
    low = std::min(low, static_cast<double>(e[i])), high = std::max(high, static_cast<double>(e[i]));
    worst = std::max(worst, std::abs(static_cast<double>(e[i]) - static_cast<double>(g[i])));
    if (std::isnan(g[i]) != std::isnan(e[i])) return INFINITY;
  }
  const double size = std::max({high - low, std::abs(high), std::abs(low)});
  return worst == 0 ? 0 : worst / size;
}

TEST_F(SavedModelTest, AgreesWithTensorFlow) {
  ASSERT_GE(Cases().size(), 150U);
  for (const auto& [name, one] : Cases()) {
    SCOPED_TRACE(name);
    try {
      ConvertRequest request;
      request.source = Write(name, one);
      request.signature = one.signature;
      request.keep_unsimplified = true;
      const Conversion conversion = Convert(request);
      const auto model = tflite::ReadModel(tflite::SerializeModel(conversion.model), "converted");
      runtime::InterpreterOptions options;
      const numerics::Profile profile = numerics::DefaultProfile();
      options.profile = &profile;
      runtime::Interpreter interpreter(model, options);
      const graph::Signature& signature = model->signatures.at(0);
      ASSERT_EQ(signature.inputs.size(), one.inputs.size());
      ASSERT_EQ(signature.outputs.size(), one.outputs.size());
      const graph::Subgraph& main = model->subgraphs[0];
      ASSERT_EQ(main.inputs.size(), one.inputs.size());
      for (size_t i = 0; i < one.inputs.size(); ++i) {
        EXPECT_EQ(main.inputs[i], signature.inputs[i].tensor);
        interpreter.ResizeInput(i, one.inputs[i].shape());
      }
      for (size_t i = 0; i < one.inputs.size(); ++i) interpreter.SetInput(i, one.inputs[i]);
      interpreter.Invoke();
      for (size_t i = 0; i < one.outputs.size(); ++i) {
        EXPECT_EQ(main.outputs[i], signature.outputs[i].tensor);
        const Array got = interpreter.Output(i);
        EXPECT_LE(Difference(one.outputs[i], got), 1e-5)
            << got.shape().ToString() << " expected " << one.outputs[i].shape().ToString();
      }
      if (one.inputs[0].shape().rank() > 0) {
        try {
          const Verification verification = VerifyPasses(conversion.unsimplified, model, 1, profile, nullptr);
          EXPECT_LE(verification.worst.relative, 1e-5) << verification.worst.tensor;
        } catch (const Error& error) {
          ADD_FAILURE() << "verify: " << error.what();
        }
      }
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

}  // namespace
}  // namespace assay::convert
