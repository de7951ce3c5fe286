#include "runtime/delegates/litert.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "base/error.h"
#include "format/tflite/writer.h"

namespace assay::runtime {
namespace {

namespace fs = std::filesystem;

// ---- the library's types (litert/c: litert_common.h, litert_any.h, litert_layout.h, litert_model_types.h)
using Handle = void*;
using Status = int;
enum LockMode : int { kRead = 0, kWrite = 1 };

struct RankedTensorType {
  int32_t element_type;
  uint32_t rank;  // its lowest 7 bits; the next says whether strides are given
  int32_t dimensions[8];
  uint32_t strides[8];
};
static_assert(sizeof(RankedTensorType) == 72);

struct EnvironmentOption {
  int32_t tag;
  struct {
    int32_t type;
    int64_t value;
  } any;
};
static_assert(sizeof(EnvironmentOption) == 24);
constexpr int32_t kTagMinLoggerSeverity = 25, kTypeInt = 2;
constexpr int64_t kSeverityError = 3;
constexpr int kAcceleratorCpu = 1;

struct Functions {
  Status (*CreateEnvironment)(int, const EnvironmentOption*, Handle*);
  Status (*CreateModelFromBuffer)(Handle, const void*, size_t, Handle*);
  void (*DestroyModel)(Handle);
  Status (*CreateOptions)(Handle*);
  void (*DestroyOptions)(Handle);
  Status (*SetOptionsHardwareAccelerators)(Handle, int);
  Status (*CreateOpaqueOptions)(const char*, void*, void (*)(void*), Handle*);
  Status (*AddOpaqueOptions)(Handle, Handle);
  Status (*CreateCompiledModel)(Handle, Handle, Handle, Handle*);
  void (*DestroyCompiledModel)(Handle);
  Status (*GetCompiledModelInputBufferRequirements)(Handle, size_t, size_t, Handle*);
  Status (*GetCompiledModelOutputBufferRequirements)(Handle, size_t, size_t, Handle*);
  Status (*CreateManagedTensorBufferFromRequirements)(Handle, const RankedTensorType*, Handle, Handle*);
  void (*DestroyTensorBuffer)(Handle);
  Status (*GetTensorBufferSize)(Handle, size_t*);
  Status (*LockTensorBuffer)(Handle, void**, int);
  Status (*UnlockTensorBuffer)(Handle);
  Status (*RunCompiledModel)(Handle, size_t, size_t, Handle*, size_t, Handle*);
};

// The library's LiteRtStatus in words.
std::string StatusText(Status status) {
  switch (status) {
    case 1:
      return "invalid argument";
    case 2:
      return "no memory";
    case 3:
      return "runtime failure";
    case 5:
      return "unsupported";
    case 501:
      return "invalid flatbuffer";
    case 504:
      return "compilation failed";
    default:
      return fmt::format("status {}", status);
  }
}

class Library {
 public:
  explicit Library(const std::string& path) : path_(path) {
    // Never closed: the runtime keeps threads of its own.
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* reason = ::dlerror();
      throw InputError("{}: cannot be loaded as the LiteRT library: {}", path, reason == nullptr ? "unknown" : reason);
    }
    const auto find = [&]<typename T>(const char* name, T& function) {
      void* symbol = ::dlsym(library, name);
      if (symbol == nullptr) {
        throw InputError("{}: has no function {}: it is no LiteRT library, or of another release than 2.3", path, name);
      }
      static_assert(sizeof(symbol) == sizeof(function));
      std::memcpy(&function, &symbol, sizeof(symbol));
    };
    find("LiteRtCreateEnvironment", call.CreateEnvironment);
    find("LiteRtCreateModelFromBuffer", call.CreateModelFromBuffer);
    find("LiteRtDestroyModel", call.DestroyModel);
    find("LiteRtCreateOptions", call.CreateOptions);
    find("LiteRtDestroyOptions", call.DestroyOptions);
    find("LiteRtSetOptionsHardwareAccelerators", call.SetOptionsHardwareAccelerators);
    find("LiteRtCreateOpaqueOptions", call.CreateOpaqueOptions);
    find("LiteRtAddOpaqueOptions", call.AddOpaqueOptions);
    find("LiteRtCreateCompiledModel", call.CreateCompiledModel);
    find("LiteRtDestroyCompiledModel", call.DestroyCompiledModel);
    find("LiteRtGetCompiledModelInputBufferRequirements", call.GetCompiledModelInputBufferRequirements);
    find("LiteRtGetCompiledModelOutputBufferRequirements", call.GetCompiledModelOutputBufferRequirements);
    find("LiteRtCreateManagedTensorBufferFromRequirements", call.CreateManagedTensorBufferFromRequirements);
    find("LiteRtDestroyTensorBuffer", call.DestroyTensorBuffer);
    find("LiteRtGetTensorBufferSize", call.GetTensorBufferSize);
    find("LiteRtLockTensorBuffer", call.LockTensorBuffer);
    find("LiteRtUnlockTensorBuffer", call.UnlockTensorBuffer);
    find("LiteRtRunCompiledModel", call.RunCompiledModel);
    // Functions that came with the releases whose models are made within an environment: older ones take fewer
    // arguments under the same names.
    for (const char* name : {"LiteRtRunCompiledModelWithOptions", "LiteRtCompiledModelResizeInputTensorNonStrict"}) {
      Status (*unused)() = nullptr;
      find(name, unused);
    }
    const EnvironmentOption quiet = {kTagMinLoggerSeverity, {kTypeInt, kSeverityError}};
    Check(call.CreateEnvironment(1, &quiet, &environment), "cannot start");
  }

  void Check(Status status, const std::string& what) const {
    if (status != 0) throw InputError("LiteRT ({}) {}: {}", path_, what, StatusText(status));
  }

  Functions call = {};
  mutable std::mutex mutex;      // held where models are made and destroyed
  Handle environment = nullptr;  // of the process: destroying it would unload what other models use

 private:
  std::string path_;
};

// The library's codes of element types; 0 for what its tensor buffers do not hold.
int32_t ElementType(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 1;
    case DType::kInt32:
      return 2;
    case DType::kUInt8:
      return 3;
    case DType::kInt64:
      return 4;
    case DType::kBool:
      return 6;
    case DType::kInt16:
      return 7;
    case DType::kInt8:
      return 9;
    case DType::kFloat16:
      return 10;
    case DType::kFloat64:
      return 11;
    case DType::kUInt64:
      return 13;
    case DType::kUInt32:
      return 16;
    case DType::kUInt16:
      return 17;
    default:
      return 0;
  }
}

using Owner = std::unique_ptr<void, void (*)(Handle)>;

class Kernel final : public DelegateKernel {
 public:
  Kernel(std::shared_ptr<const Library> library, const DelegateTask& task)
      : library_(std::move(library)),
        bytes_(tflite::SerializeModel(task.model)),
        model_(nullptr, library_->call.DestroyModel),
        options_(nullptr, library_->call.DestroyOptions),
        compiled_(nullptr, library_->call.DestroyCompiledModel) {
    const Library& l = *library_;
    for (const graph::Tensor& tensor : task.model.subgraphs[0].tensors) {
      if (!tensor.is_variable) continue;
      throw InputError("{}: tensor '{}' is a variable, which LiteRT's compiled-model interface does not take",
                       task.source, tensor.name);
    }
    const std::scoped_lock lock(l.mutex);
    Handle made = nullptr;
    l.Check(l.call.CreateModelFromBuffer(l.environment, bytes_.data(), bytes_.size(), &made),
            fmt::format("does not read {}", task.source));
    model_.reset(made);
    l.Check(l.call.CreateOptions(&made), "gives no options");
    options_.reset(made);
    l.Check(l.call.SetOptionsHardwareAccelerators(made, kAcceleratorCpu), "has no CPU kernels");
    // The CPU's options: a text of "name = value" under this name.
    Handle cpu = nullptr;
    char* text = ::strdup(fmt::format("num_threads = {}\n", task.threads).c_str());
    l.Check(l.call.CreateOpaqueOptions("xnnpack", text, std::free, &cpu), "gives no CPU options");
    l.Check(l.call.AddOpaqueOptions(options_.get(), cpu), "takes no CPU options");
    l.Check(l.call.CreateCompiledModel(l.environment, model_.get(), options_.get(), &made),
            fmt::format("does not take {}", task.source));
    compiled_.reset(made);
    const graph::Subgraph& graph = task.model.subgraphs[0];
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
      const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(graph.inputs[i])];
      Handle needs = nullptr;
      l.Check(l.call.GetCompiledModelInputBufferRequirements(made, 0, i, &needs), "has no such input");
      inputs_.push_back(buffers_.emplace_back(MakeBuffer(tensor, needs)).get());
    }
    for (size_t k = 0; k < graph.outputs.size(); ++k) {
      const graph::Tensor& tensor = graph.tensors[static_cast<size_t>(graph.outputs[k])];
      Handle needs = nullptr;
      l.Check(l.call.GetCompiledModelOutputBufferRequirements(made, 0, k, &needs), "has no such output");
      outputs_.push_back(buffers_.emplace_back(MakeBuffer(tensor, needs)).get());
    }
  }

  ~Kernel() override {
    const std::scoped_lock lock(library_->mutex);
    buffers_.clear();
    compiled_.reset();
    options_.reset();
    model_.reset();
  }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  void Invoke(std::span<const std::span<const uint8_t>> inputs, std::span<const std::span<uint8_t>> outputs) override {
    const Library& l = *library_;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].empty())
        std::memcpy(Lock(inputs_[i], inputs[i].size(), kWrite), inputs[i].data(), inputs[i].size());
      if (!inputs[i].empty()) l.Check(l.call.UnlockTensorBuffer(inputs_[i]), "does not take an input back");
    }
    l.Check(
        l.call.RunCompiledModel(compiled_.get(), 0, inputs_.size(), inputs_.data(), outputs_.size(), outputs_.data()),
        "failed to run the model");
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (outputs[k].empty()) continue;
      std::memcpy(outputs[k].data(), Lock(outputs_[k], outputs[k].size(), kRead), outputs[k].size());
      l.Check(l.call.UnlockTensorBuffer(outputs_[k]), "does not take an output back");
    }
  }

 private:
  Owner MakeBuffer(const graph::Tensor& tensor, Handle needs) {
    RankedTensorType type = {};
    type.element_type = ElementType(tensor.dtype);
    if (type.element_type == 0 || tensor.shape.rank() > 8) {
      throw InputError("tensor '{}' is {} {}, which LiteRT's buffers do not hold", tensor.name, DTypeName(tensor.dtype),
                       tensor.shape.ToString());
    }
    type.rank = static_cast<uint32_t>(tensor.shape.rank());
    for (int d = 0; d < tensor.shape.rank(); ++d) type.dimensions[d] = tensor.shape[d];
    Handle buffer = nullptr;
    library_->Check(
        library_->call.CreateManagedTensorBufferFromRequirements(library_->environment, &type, needs, &buffer),
        fmt::format("has no memory for tensor '{}'", tensor.name));
    return {buffer, library_->call.DestroyTensorBuffer};
  }

  void* Lock(Handle buffer, size_t bytes, LockMode mode) const {
    size_t size = 0;
    library_->Check(library_->call.GetTensorBufferSize(buffer, &size), "hides the size of a buffer");
    if (size < bytes) throw InputError("LiteRT has a buffer of {} bytes for a tensor of {}", size, bytes);
    void* memory = nullptr;
    library_->Check(library_->call.LockTensorBuffer(buffer, &memory, mode), "does not give a buffer's memory");
    return memory;
  }

  std::shared_ptr<const Library> library_;
  std::vector<uint8_t> bytes_;  // which the library's model points into
  Owner model_, options_, compiled_;
  std::vector<Owner> buffers_;
  std::vector<Handle> inputs_, outputs_;  // of buffers_
};

class LiteRt final : public Delegate {
 public:
  explicit LiteRt(const std::string& path) : library_(std::make_shared<const Library>(path)) {}
  std::string Name() const override { return "litert"; }
  std::unique_ptr<DelegateKernel> Compile(const DelegateTask& task) const override {
    return std::make_unique<Kernel>(library_, task);
  }

 private:
  std::shared_ptr<const Library> library_;
};

// ai_edge_litert's library under a Python environment's folder; empty where there is none.
std::string InPython(const fs::path& prefix) {
  std::error_code ignored;
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(prefix / "lib", ignored)) {
    if (entry.path().filename().string().rfind("python3", 0) != 0) continue;
    const fs::path library = entry.path() / "site-packages/ai_edge_litert/libLiteRt.so";
    if (fs::exists(library, ignored)) found.push_back(library.string());
  }
  return found.empty() ? std::string() : *std::max_element(found.begin(), found.end());
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string FindLibrary() {
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const std::string prefix = Variable(name); !prefix.empty()) {
      if (const std::string found = InPython(prefix); !found.empty()) return found;
    }
  }
  std::string folders = Variable("PATH");
  for (size_t at = 0; at <= folders.size();) {
    const size_t end = std::min(folders.find(':', at), folders.size());
    const fs::path python = fs::path(folders.substr(at, end - at)) / "python3";
    at = end + 1;
    if (::access(python.c_str(), X_OK) != 0) continue;
    return InPython(python.parent_path().parent_path());
  }
  return {};
}

}  // namespace

std::shared_ptr<const Delegate> LoadLiteRt(const std::string& path) {
  std::string file = path.empty() ? Variable("ASSAY_LITERT") : path;
  if (file.empty()) file = FindLibrary();
  if (file.empty()) {
    throw InputError(
        "the runtime litert needs LiteRT's library libLiteRt.so: name it with --litert FILE or ASSAY_LITERT, or "
        "activate "
        "a Python environment that has ai-edge-litert");
  }
  return std::make_shared<const LiteRt>(file);
}

}  // namespace assay::runtime
