// A model of one op with its inputs' values, to be run by tests:
//
//   EXPECT_EQ(OneOpModel(BuiltinOp::kSum).Input<float>({2, 2}, {1, 2, 3, 4}).Constant<int32_t>({1}, {0})
//                 .Output(DType::kFloat32).Run<float>(), (std::vector<float>{4, 6}));
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/model_builder.h"
#include "runtime/interpreter.h"

namespace assay::runtime {

class OneOpModel {
 public:
  explicit OneOpModel(graph::BuiltinOp op) : op_(op) {}
  // A custom op.
  OneOpModel(std::string name, std::vector<uint8_t> custom_options)
      : op_(graph::BuiltinOp::kCustom), custom_name_(std::move(name)), custom_options_(std::move(custom_options)) {}

  template <typename T>
  OneOpModel& Input(Shape shape, const std::vector<T>& values, Quantization quantization = {}) {
    inputs_.push_back(builder_.Input(Name("in", inputs_.size()), DTypeOf<T>(), shape, std::move(quantization)));
    Array array(DTypeOf<T>(), std::move(shape));
    ASSAY_CHECK(array.bytes().size() == values.size() * sizeof(T));
    std::copy(values.begin(), values.end(), array.values<T>().begin());
    arrays_.push_back(std::move(array));
    return *this;
  }
  template <typename T>
  OneOpModel& Constant(Shape shape, const std::vector<T>& values, Quantization quantization = {}) {
    inputs_.push_back(
        builder_.Constant(Name("const", inputs_.size()), std::move(shape), values, std::move(quantization)));
    return *this;
  }
  OneOpModel& Absent() {
    inputs_.push_back(graph::kNoTensor);
    return *this;
  }
  OneOpModel& Variable(DType dtype, Shape shape, Quantization quantization = {}) {
    inputs_.push_back(
        builder_.Variable(Name("variable", inputs_.size()), dtype, std::move(shape), std::move(quantization)));
    return *this;
  }
  OneOpModel& Intermediate(DType dtype, Quantization quantization = {}) {
    intermediates_.push_back(
        builder_.Tensor(Name("intermediate", intermediates_.size()), dtype, {}, std::move(quantization)));
    return *this;
  }
  OneOpModel& Output(DType dtype, Quantization quantization = {}) {
    outputs_.push_back(builder_.Tensor(Name("out", outputs_.size()), dtype, {}, std::move(quantization)));
    return *this;
  }
  template <typename V>
  OneOpModel& Option(std::string name, V value) {
    options_.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  OneOpModel& Version(int32_t version) {
    version_ = version;
    return *this;
  }

  // The arrays of all outputs after `invocations` runs.
  std::vector<Array> RunAll(std::string_view profile = "reference", int invocations = 1, int threads = 1) const {
    graph::ModelBuilder builder = builder_;
    graph::Operator& op = builder.Op(op_, inputs_, outputs_, options_);
    op.custom_code = custom_name_;
    op.custom_options = custom_options_;
    op.version = version_;
    op.intermediates = intermediates_;
    for (const int32_t output : outputs_) builder.Output(output);
    InterpreterOptions options;
    options.profile = &numerics::FindProfile(profile);
    options.threads = threads;
    options.limits.max_tensor_bytes = uint64_t{64} << 20;  // tests are small: what is not is refused
    Interpreter interpreter(builder.Build(), options);
    interpreter.AllocateTensors();
    for (size_t i = 0; i < arrays_.size(); ++i) interpreter.SetInput(i, arrays_[i]);
    for (int i = 0; i < invocations; ++i) interpreter.Invoke();
    std::vector<Array> results;
    for (size_t i = 0; i < outputs_.size(); ++i) results.push_back(interpreter.Output(i));
    return results;
  }
  template <typename T>
  std::vector<T> Run(std::string_view profile = "reference", int invocations = 1) const {
    const std::vector<Array> results = RunAll(profile, invocations);
    const auto values = results.front().values<T>();
    return {values.begin(), values.end()};
  }
  Shape OutputShape(std::string_view profile = "reference") const { return RunAll(profile).front().shape(); }
  // What the program would say, or "" where the model runs.
  std::string Message(std::string_view profile = "reference") const {
    try {
      RunAll(profile);
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  }

 private:
  static std::string Name(const char* what, size_t i) { return fmt::format("{}{}", what, i); }

  graph::BuiltinOp op_;
  std::string custom_name_;
  std::vector<uint8_t> custom_options_;
  int32_t version_ = 1;
  graph::ModelBuilder builder_;
  std::vector<int32_t> inputs_, outputs_, intermediates_;
  std::vector<Array> arrays_;
  std::vector<graph::ModelBuilder::Option> options_;
};

}  // namespace assay::runtime
