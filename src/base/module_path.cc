#include "base/module_path.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

}  // namespace

std::string FindModule(const std::string& name, const std::string& purpose) {
  std::vector<std::string> folders, homes;
  if (const char* given = std::getenv("ASSAY_MODULE_PATH")) folders.emplace_back(given);
  Dl_info info = {};
  if (::dladdr(reinterpret_cast<const void*>(&FindModule), &info) != 0 && info.dli_fname != nullptr) {
    homes.push_back(FolderOf(info.dli_fname));
  }
  char self[4096] = {};
  if (::readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) homes.push_back(FolderOf(self));
  for (const std::string& home : homes) {
    for (const char* below : {"", "/assay", "/../lib/assay", "/..", "/../lib64/assay"}) folders.push_back(home + below);
    for (const char* triplet : {"x86_64-linux-gnu", "aarch64-linux-gnu"}) {
      folders.push_back(home + "/../lib/" + triplet + "/assay");
    }
  }
  for (const std::string& folder : folders) {
    const std::string path = folder + "/" + name;
    if (::access(path.c_str(), R_OK) == 0) return path;
  }
  throw InputError(
      "{} needs the module {}, which is not installed beside the program (or in the folder that ASSAY_MODULE_PATH "
      "names)",
      purpose, name);
}

}  // namespace assay
